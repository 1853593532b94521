"""How far a device's clock is off: the reading of a window that seems furthest ahead tells best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.models import Device, DeviceClock
from hub.bridge import clocks as clocks_room
from hub.bridge import records as records_room
from hub.bridge.clocks import Clocks, Skew
from hub.bridge.storing import now_ms
from hub.limits.bridge import BACKLOG_AT_LEAST_MS, CLOCK_CHANGE_MS, CLOCK_WINDOW_MS
from tests.hub.bridge.parts import NOW_MS, T1, Bench, message, until
from tests.hub.bridge.workbench import Bench as Workbench
from tests.hub.bridge.workbench import end

SECOND_MS = 1_000


def send(
    clocks: Clocks, *ahead_ms: int, since_ms: int = NOW_MS, every_ms: int = CLOCK_WINDOW_MS // 4
) -> list[Skew]:
    """Readings whose times are ahead of their arrivals by so much; what is to be written."""
    skews = []
    for number, ahead in enumerate(ahead_ms):
        received_ms = since_ms + number * every_ms
        skew = clocks.reading(T1.key, received_ms + ahead, received_ms)
        if skew is not None:
            skews.append(skew)
    return skews


def test_a_clock_that_is_right_is_never_written():
    assert send(Clocks(), *[-30, -900, -20] * 20) == []


@pytest.mark.parametrize("off_ms", [12_000, -12_000])
def test_a_clock_that_is_off_is_written_once(off_ms: int):
    clocks = Clocks()
    skews = send(clocks, *[off_ms - 40] * 20)
    assert skews == [Skew(T1.key, off_ms - 40, NOW_MS + CLOCK_WINDOW_MS)]


def test_a_clock_that_was_set_right_is_written_again():
    clocks = Clocks()
    clocks.load({T1.key: 12_000})
    assert [skew.skew_ms for skew in send(clocks, *[-40] * 20)] == [-40]


def test_what_was_kept_and_sent_late_is_no_skew():
    late = [-3_600_000, -1_800_000, -600_000, -60_000]
    assert send(Clocks(), *late, -50, *late, -50) == []


def test_a_buffer_that_is_emptied_in_a_moment_decides_nothing():
    assert send(Clocks(), *[-3_600_000] * 1_000, every_ms=10) == []


def test_two_readings_far_apart_decide_nothing():
    assert send(Clocks(), -60_000, -60_000, every_ms=CLOCK_WINDOW_MS) == []


def test_a_device_that_was_deleted_is_forgotten():
    clocks = Clocks()
    clocks.load({T1.key: 12_000})
    send(clocks, *[12_000] * 3)
    clocks.forget(T1.key)
    assert [skew.skew_ms for skew in send(clocks, *[12_000] * 6)] == [12_000]


@given(st.integers(-600_000, 600_000), st.lists(st.integers(0, 700), min_size=10, max_size=30))
def test_the_estimate_is_off_by_the_shortest_way_only(off_ms: int, delays: list[int]):
    skews = send(Clocks(), *(off_ms - delay for delay in delays))
    if abs(off_ms) > CLOCK_CHANGE_MS + 700:
        assert skews
    for skew in skews:
        assert off_ms - 700 <= skew.skew_ms <= off_ms


# --- in the judge and the worker -------------------------------------------------------------------


def live_bench() -> Bench:
    bench = Bench()
    bench.limit.admits(99, message(arrived_ms=NOW_MS - BACKLOG_AT_LEAST_MS))
    bench.limit.drained(NOW_MS)
    return bench


def judge_behind(bench: Bench, *, dup: bool = False, array: bool = False, timed: bool = True) -> int:
    """A minute of readings that are a minute behind; how many skews were found."""
    for number in range(61):
        arrived_ms = NOW_MS + number * SECOND_MS
        reading = {"temperature": 1, **({"ts": arrived_ms - 60_000} if timed else {})}
        payload = [reading, {**reading, "ts": arrived_ms - 59_999}] if array else reading
        bench.judge(message(payload, arrived_ms=arrived_ms, dup=dup))
    return len(bench.judged.skews)


def test_live_readings_with_a_time_of_their_own_show_the_clock():
    assert judge_behind(live_bench()) == 1


def test_arrays_redeliveries_backlogs_and_readings_without_a_time_show_no_clock():
    assert judge_behind(live_bench(), array=True) == 0
    assert judge_behind(live_bench(), dup=True) == 0
    assert judge_behind(Bench()) == 0
    assert judge_behind(live_bench(), timed=False) == 0


@pytest.mark.usefixtures("thermostat")
async def test_a_skew_is_written_and_remembered_by_the_next_bridge(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clocks_room, "CLOCK_WINDOW_MS", 0)
    monkeypatch.setattr("hub.bridge.ratelimit.BACKLOG_AT_LEAST_MS", 0)
    task = await bench.run()
    bench.arrive({"temperature": 1})
    await until(lambda: bench.ear.acknowledged != [] and not bench.senders.limit.catching_up)
    for _ in range(5):
        bench.arrive({"ts": now_ms() - 12_000, "temperature": 1})
    await until(lambda: len(bench.ear.acknowledged) == 6)
    written = await bench.records.run(lambda: DeviceClock.objects.get().skew_ms)
    assert -13_000 < written <= -12_000
    await bench.senders.load()
    assert bench.senders.clocks.reading(bench.key, 0, 12_000) is None
    assert await bench.records.run(records_room.load_clocks) == {bench.key: written}
    await end(task)


@pytest.mark.usefixtures("thermostat")
async def test_the_newest_of_two_skews_of_a_device_stays_and_a_deleted_device_has_none(bench: Workbench):
    key = await bench.records.run(lambda: Device.objects.get().pk)
    skews = [Skew(key, 1, 10), Skew(key, 2, 20), Skew(999, 3, 30)]
    await bench.records.run(records_room.write, [], [], skews)
    await bench.records.run(records_room.write, [], [], [Skew(key, 5, 50)])
    assert await bench.records.run(lambda: list(DeviceClock.objects.values_list("skew_ms", "at_ms"))) == [
        (5, 50)
    ]
