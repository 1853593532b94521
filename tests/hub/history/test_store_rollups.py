"""The contract of rolling up and pruning. Run against every store."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from hub.history.buckets import Buckets
from hub.history.store import BucketColumn, Columns, Cutoffs, HistoryStore, Outcome, Reading
from hub.protocol.telemetry import Value
from tests.hub.history.conftest import OpenStore
from tests.hub.history.examples import DEVICE, NOW, batch_of, reading

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = NOW - NOW % DAY
FOREVER = 2**62
_days = itertools.count()
BUDGET_S = 30.0


def bucketed(columns: Columns, metric: str = "t") -> BucketColumn:
    column = columns.metrics[metric]
    assert isinstance(column, BucketColumn)
    return column


def from_raw(store: HistoryStore, like: Columns, metrics: Sequence[str], device: int = DEVICE) -> Columns:
    """What the readings that are stored say, asked for in the same buckets."""
    assert like.bucket_ms is not None
    buckets = Buckets(like.bucket_ms, metrics)
    after_ms = 0
    while page := store.rows_page(device, like.from_ms, like.to_ms, after_ms, 5_000):
        buckets.fold(page)
        after_ms = page[-1].ts_ms
    return buckets.as_columns(like.from_ms, like.to_ms, like.resolution)


def assert_same(one: Columns, other: Columns) -> None:
    assert one.ts == other.ts
    assert one.metrics.keys() == other.metrics.keys()
    for metric in one.metrics:
        mine, theirs = bucketed(one, metric), bucketed(other, metric)
        assert (mine.min, mine.max, mine.last, mine.count) == (
            theirs.min,
            theirs.max,
            theirs.last,
            theirs.count,
        )
        for left, right in zip(mine.mean, theirs.mean, strict=True):
            assert left == (right if right is None else pytest.approx(right))


def fill(store: HistoryStore, first_ms: int, number: int, step_ms: int, device: int = DEVICE) -> None:
    store.append(batch_of(*[reading(first_ms + n * step_ms, {"t": n}, device=device) for n in range(number)]))


def assert_law_two(store: HistoryStore, device: int = DEVICE) -> None:
    ledger = store.ledger([device])[device]
    assert ledger.stored - ledger.pruned == len(store.rows_page(device, 0, FOREVER, 0, 5_000))


# --- rolling up ----------------------------------------------------------------------------


def test_nothing_is_rolled_up_before_its_hour_is_over(store: HistoryStore) -> None:
    fill(store, START, 120, MINUTE)
    assert store.roll(START + HOUR - 1, BUDGET_S).num_hours == 0
    assert store.roll(START + 2 * HOUR - 1, BUDGET_S) == (1, True)
    assert store.rollup_state(DEVICE) == (START + HOUR, 0, ())
    assert store.roll(START + 2 * HOUR, BUDGET_S) == (1, True)
    assert store.roll(START + 2 * HOUR, BUDGET_S) == (0, True)


def test_a_read_says_which_resolution_it_used_and_answers_what_readings_would(store: HistoryStore) -> None:
    fill(store, START, 6_000, 5_000)
    expected = {points: store.read(DEVICE, [], START, START + DAY, points) for points in (400, 8, 2)}
    store.roll(START + 7 * HOUR, BUDGET_S)
    for points, resolution in ((6_000, "raw"), (5_999, "raw"), (400, "1m"), (8, "1h"), (2, "1h")):
        columns = store.read(DEVICE, [], START, START + DAY, points)
        assert columns.resolution == resolution
        assert len(columns.ts) <= points
        if points in expected:
            assert_same(columns, expected[points])


def test_a_range_that_begins_and_ends_within_an_hour_has_exactly_its_readings(store: HistoryStore) -> None:
    fill(store, START, 5_000, 5_000)
    store.roll(START + 6 * HOUR, BUDGET_S)
    for begin, end in ((1, 6 * HOUR - 1), (HOUR // 2 + 7, 2 * HOUR + 90_001), (61_001, 119_999)):
        columns = store.read(DEVICE, [], START + begin, START + end, 5)
        assert_same(columns, from_raw(store, columns, []))


def test_a_late_reading_is_in_the_answer_at_once_and_in_the_rollup_later(store: HistoryStore) -> None:
    fill(store, START, 300, MINUTE)
    store.roll(START + 5 * HOUR, BUDGET_S)
    late = reading(START + HOUR + 30_000, {"t": 999, "h": 40})
    store.append(batch_of(late))
    assert store.rollup_state(DEVICE).dirty == (START + HOUR,)
    columns = store.read(DEVICE, [], START, START + DAY, 5)
    assert bucketed(columns).max == [59, 999, 179, 239, 299]
    assert bucketed(columns, "h").count == [0, 1, 0, 0, 0]
    assert store.roll(START + 5 * HOUR, BUDGET_S) == (1, True)
    assert store.rollup_state(DEVICE).dirty == ()
    assert_same(store.read(DEVICE, [], START, START + DAY, 5), columns)


def test_an_update_of_an_old_reading_makes_its_hour_dirty_and_a_repeat_does_not(store: HistoryStore) -> None:
    fill(store, START, 120, MINUTE)
    store.roll(START + 2 * HOUR, BUDGET_S)
    assert store.append(batch_of(reading(START, {"t": 0}))) == [Outcome.DUPLICATE]
    assert store.rollup_state(DEVICE).dirty == ()
    assert store.append(batch_of(reading(START, {"t": 7}))) == [Outcome.UPDATED]
    assert store.rollup_state(DEVICE).dirty == (START,)
    store.roll(START + 2 * HOUR, BUDGET_S)
    assert bucketed(store.read(DEVICE, [], START, START + DAY, 2)).count == [60, 60]
    assert bucketed(store.read(DEVICE, [], START, START + DAY, 2)).min == [1, 60]


def test_another_process_that_appends_marks_hours_too(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    fill(one, START, 60, MINUTE)
    other.roll(START + HOUR, BUDGET_S)
    one.append(batch_of(reading(START + 1, {"t": -5})))
    assert other.rollup_state(DEVICE).dirty == (START,)
    other.roll(START + HOUR, BUDGET_S)
    assert bucketed(one.read(DEVICE, [], START, START + DAY, 1)).min == [-5]


def test_a_roll_without_time_goes_on_where_it_ended(store: HistoryStore) -> None:
    for device in range(1, 6):
        fill(store, START, 3, HOUR, device)
    assert store.roll(START + DAY, 0.0) == (0, False)
    assert len(store.rollup_state(1).dirty) == 3
    assert store.roll(START + DAY, BUDGET_S) == (15, True)


def test_text_booleans_and_rare_metrics_come_from_rollups_as_they_were(store: HistoryStore) -> None:
    values: list[dict[str, Value]] = [
        {"door": n % 3 == 0, "mode": "eco" if n % 2 else "off"} for n in range(240)
    ]
    values[200]["rare"] = "x"
    store.append(batch_of(*[reading(START + n * MINUTE, one) for n, one in enumerate(values)]))
    before = store.read(DEVICE, [], START, START + DAY, 4)
    store.roll(START + 4 * HOUR, BUDGET_S)
    after = store.read(DEVICE, [], START, START + DAY, 4)
    assert after.resolution == "1h"
    assert_same(after, before)
    assert bucketed(after, "mode").min == [None] * 4
    assert bucketed(after, "door").last == [False, False, False, False]
    assert store.read(DEVICE, ["rare"], START, START + DAY, 4).ts == [START + 200 * MINUTE]
    assert bucketed(store.read(DEVICE, ["mode", "none"], START, START + DAY, 4), "none").count == [0] * 4


READINGS = st.builds(
    lambda device, at, values: Reading(device, at * 7_000, NOW, None, values),
    st.integers(1, 2),
    st.integers(0, 3 * HOUR // 7_000),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 2.5, -3, True, "x"]), min_size=1),
)
STEPS = st.one_of(
    st.lists(READINGS, min_size=1, max_size=25).map(lambda readings: ("append", readings)),
    st.integers(0, 4).map(lambda hours: ("roll", hours * HOUR)),
)
RANGES = st.tuples(st.integers(0, 4 * HOUR), st.integers(0, 4 * HOUR), st.integers(1, 200))


@given(steps=st.lists(STEPS, min_size=1, max_size=8), ranges=st.lists(RANGES, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rollups_equal_recomputation_from_readings_whatever_comes_when(
    open_store: OpenStore, steps: list[tuple[str, object]], ranges: list[tuple[int, int, int]]
) -> None:
    store = open_store()
    # A day of its own: how far a store is rolled up never goes back.
    start = START + next(_days) * DAY
    for what, argument in steps:
        if what == "append":
            assert isinstance(argument, list)
            store.append(batch_of(*[structs.replace(one, ts_ms=start + one.ts_ms) for one in argument]))
        else:
            assert isinstance(argument, int)
            store.roll(start + argument, BUDGET_S)
        for device in (1, 2):
            for begin, end, points in ranges:
                columns = store.read(device, [], start + begin, start + end, points)
                if columns.bucket_ms is not None:
                    assert len(columns.ts) <= points
                    assert_same(columns, from_raw(store, columns, [], device))
    store.close()


# --- pruning -------------------------------------------------------------------------------


def test_old_readings_go_in_whole_hours_and_their_rollups_stay(store: HistoryStore) -> None:
    fill(store, START, 300, MINUTE)
    before = store.read(DEVICE, [], START, START + DAY, 5)
    store.roll(START + 5 * HOUR, BUDGET_S)
    assert store.prune(Cutoffs(raw={DEVICE: START + 3 * HOUR - 1})) == 120
    assert_law_two(store)
    assert store.rows_page(DEVICE, 0, FOREVER, 0, 1)[0].ts_ms == START + 2 * HOUR
    assert_same(store.read(DEVICE, [], START, START + DAY, 5), before)
    assert store.prune(Cutoffs(raw={DEVICE: START + 3 * HOUR - 1})) == 0
    assert store.size().num_readings == 180


def test_what_is_not_rolled_up_or_dirty_is_not_pruned(store: HistoryStore) -> None:
    fill(store, START, 300, MINUTE)
    assert store.prune(Cutoffs(raw={DEVICE: START + DAY})) == 0
    store.roll(START + 4 * HOUR, BUDGET_S)
    store.append(batch_of(reading(START + HOUR + 1, {"t": 0})))
    assert store.prune(Cutoffs(raw={DEVICE: START + DAY, 99: START})) == 60
    store.roll(START + 4 * HOUR, BUDGET_S)
    assert store.prune(Cutoffs(raw={DEVICE: START + DAY})) == 181
    assert store.rollup_state(DEVICE).closed_to == START + 4 * HOUR
    assert_law_two(store)


def test_devices_that_no_cutoff_names_keep_their_readings(store: HistoryStore) -> None:
    for device in (1, 2):
        fill(store, START, 10, MINUTE, device)
    store.roll(START + DAY, BUDGET_S)
    store.prune(Cutoffs(raw={1: START + DAY}))
    assert store.rows_page(1, 0, FOREVER, 0, 10) == []
    assert len(store.rows_page(2, 0, FOREVER, 0, 10)) == 10
    assert store.has_readings(1)


def test_a_reading_that_comes_after_its_hour_was_pruned_is_added_to_the_rollups(store: HistoryStore) -> None:
    fill(store, START, 120, MINUTE)
    store.roll(START + 3 * HOUR, BUDGET_S)
    store.prune(Cutoffs(raw={DEVICE: START + 2 * HOUR}))
    late = [reading(START + 30_000, {"t": -9, "h": 1}), reading(START + 2 * HOUR + 1, {"t": 5})]
    assert store.append(batch_of(*late)) == [Outcome.STORED] * 2
    assert_law_two(store)
    assert store.ledger([DEVICE])[DEVICE].pruned == 121
    assert store.rollup_state(DEVICE).dirty == (START + 2 * HOUR,)
    store.roll(START + 3 * HOUR, BUDGET_S)
    columns = store.read(DEVICE, [], START, START + DAY, 3)
    assert bucketed(columns).count == [61, 60, 1]
    assert bucketed(columns).min == [-9, 60, 5]
    assert bucketed(columns, "h").count == [1, 0, 0]
    assert bucketed(store.read(DEVICE, [], START, START + HOUR, 60)).min[0] == -9


def test_a_range_without_readings_has_buckets_as_narrow_as_what_is_kept(store: HistoryStore) -> None:
    fill(store, START, 49, HOUR // 2)
    store.roll(START + 3 * DAY, BUDGET_S)
    store.prune(Cutoffs(raw={DEVICE: START + DAY}))
    columns = store.read(DEVICE, [], START, START + 3 * DAY, 1_000)
    assert (columns.resolution, columns.bucket_ms) == ("1m", 2 * MINUTE)
    assert sum(bucketed(columns).count) == 49
    assert store.read(DEVICE, [], START + DAY, START + 2 * DAY, 1_000).bucket_ms is None
    store.prune(Cutoffs(minutes=START + DAY))
    columns = store.read(DEVICE, [], START, START + 3 * DAY, 1_000)
    assert (columns.resolution, columns.bucket_ms) == ("1h", HOUR)
    assert bucketed(columns).count == [2] * 24 + [1]
    store.prune(Cutoffs(minutes=START + DAY, hours=START + DAY))
    assert store.read(DEVICE, [], START, START + 3 * DAY, 1_000).ts == [START + DAY]


def test_rollups_go_at_their_own_time_even_where_readings_stay(store: HistoryStore) -> None:
    fill(store, START, 500, 5 * MINUTE)
    before = {points: store.read(DEVICE, [], START, START + 2 * DAY, points) for points in (499, 50, 2)}
    store.roll(START + 2 * DAY, BUDGET_S)
    store.prune(Cutoffs(minutes=START + 12 * HOUR, hours=START + DAY))
    store.append(batch_of(reading(START, {"t": 0}), reading(START + HOUR, {"t": 12})))
    store.roll(START + 2 * DAY, BUDGET_S)
    for points, columns in before.items():
        assert_same(store.read(DEVICE, [], START, START + 2 * DAY, points), columns)


def test_a_deleted_device_leaves_no_rollups(store: HistoryStore) -> None:
    fill(store, START, 300, MINUTE)
    fill(store, START, 300, MINUTE, device=8)
    store.roll(START + 5 * HOUR, BUDGET_S)
    store.append(batch_of(reading(START + HOUR + 1)))
    store.prune(Cutoffs(raw={DEVICE: START + HOUR}))
    assert store.delete(DEVICE) == 241
    assert not store.has_readings(DEVICE)
    assert store.rollup_state(DEVICE) == (START + 5 * HOUR, 0, ())
    assert store.read(DEVICE, [], START, START + DAY, 5).ts == []
    assert sum(bucketed(store.read(8, [], START, START + DAY, 5)).count) == 300
