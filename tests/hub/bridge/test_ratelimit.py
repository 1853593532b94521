"""A bucket of tokens a device; what the hub itself let pile up costs nothing."""

from hypothesis import given
from hypothesis import strategies as st

from hub.bridge.inbox import Message
from hub.bridge.ratelimit import RateLimit
from hub.limits.bridge import BACKLOG_AT_LEAST_MS, RATE_LIMIT_DEPTH
from tests.hub.bridge.parts import NOW_MS, OFF, T1, T2, Bench, message


def at(ms: int, *, connection: int = 1, dup: bool = False) -> Message:
    return message(arrived_ms=NOW_MS + ms, connection=connection, dup=dup)


def live(per_s: float = 10, depth: float = 3) -> RateLimit:
    """A limit whose backlog is over."""
    limit = RateLimit(per_s, depth)
    limit.admits(99, at(-BACKLOG_AT_LEAST_MS))
    limit.drained(NOW_MS)
    return limit


def admitted(limit: RateLimit, *arrivals: int, key: int = 1) -> list[bool]:
    return [limit.admits(key, at(ms)) for ms in arrivals]


def test_a_bucket_is_as_deep_as_it_is_and_fills_with_time():
    limit = live()
    assert admitted(limit, 0, 0, 0, 0, 99, 100, 100) == [True, True, True, False, False, True, False]
    assert admitted(limit, 10_000, 10_000, 10_000, 10_000) == [True, True, True, False]


def test_each_device_has_a_bucket_of_its_own():
    limit = live(depth=1)
    assert admitted(limit, 0, 0) == [True, False]
    assert admitted(limit, 0, 0, key=2) == [True, False]


def test_a_clock_that_goes_back_fills_nothing():
    limit = live(depth=1)
    assert admitted(limit, 0, -5_000, -5_000) == [True, False, False]


def test_a_backlog_costs_nothing_until_the_inbox_was_found_empty():
    limit = RateLimit(10, 1)
    assert admitted(limit, *[0] * 50) == [True] * 50
    limit.drained(NOW_MS + BACKLOG_AT_LEAST_MS)
    assert not limit.catching_up
    assert admitted(limit, 0, 0) == [True, False]


def test_an_inbox_found_empty_before_the_broker_began_in_earnest_ends_no_backlog():
    limit = RateLimit(10, 1)
    limit.admits(1, at(0))
    limit.drained(NOW_MS + BACKLOG_AT_LEAST_MS - 1)
    assert admitted(limit, 2, 2, 2) == [True] * 3


def test_every_new_connection_begins_with_a_backlog():
    limit = live(depth=1)
    assert admitted(limit, 0, 0) == [True, False]
    assert limit.admits(1, at(0, connection=2))
    assert limit.admits(1, at(0, connection=2))


def test_what_the_broker_delivers_once_more_costs_nothing():
    limit = live(depth=1)
    assert [limit.admits(1, at(0, dup=True)) for _ in range(5)] == [True] * 5
    assert admitted(limit, 0, 0) == [True, False]


def test_a_device_that_was_deleted_leaves_no_bucket():
    limit = live(depth=1)
    admitted(limit, 0, 0)
    limit.forget(1)
    assert admitted(limit, 0) == [True]


@given(st.lists(st.integers(0, 3_000), max_size=200))
def test_never_more_than_the_depth_and_what_filled_in_since(arrivals: list[int]):
    arrivals.sort()
    limit = live(per_s=20, depth=5)
    passed = [ms for ms, fine in zip(arrivals, admitted(limit, *arrivals), strict=True) if fine]
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= 5 + (passed[last] - passed[first]) * 20 / 1000 + 1e-6


# --- in the judge ---------------------------------------------------------------------------------


def flooded() -> Bench:
    """A judge that has just admitted as much of t1 as it may."""
    bench = Bench(T1, T2, OFF)
    bench.limit.admits(99, at(-BACKLOG_AT_LEAST_MS))
    bench.limit.drained(NOW_MS)
    for _ in range(RATE_LIMIT_DEPTH):
        bench.limit.admits(T1.key, message())
    return bench


def test_what_is_too_much_is_refused_before_it_is_decoded_and_counted_as_one():
    bench = flooded()
    bench.judge(message(b"{"), message([{"temperature": 1}, {"temperature": 2}]))
    assert bench.reasons() == [("rate_limited", None, True)] * 2
    arrivals = bench.tally.arrivals()[T1.key]
    assert (arrivals.received, arrivals.rejected) == (2, 2)


def test_its_neighbours_notice_nothing():
    bench = flooded()
    bench.judge(message({"temperature": 1}), message({"temperature": 1}, "devices/thermostat/t2/telemetry"))
    assert [reading.device for reading in bench.judged.accepted] == [T2]


def test_who_is_refused_anyway_is_told_the_true_reason():
    bench = flooded()
    for _ in range(RATE_LIMIT_DEPTH):
        bench.limit.admits(OFF.key, message())
    bench.judge(message(b"{", "devices/thermostat/off/telemetry"))
    assert bench.reasons() == [("device_disabled", None, True)]
