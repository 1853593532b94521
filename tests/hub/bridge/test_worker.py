"""The order of the steps: nothing is acknowledged before it is stored and written down."""

import asyncio

import pytest
from django.db import OperationalError

from devices import registry
from devices.models import Device, DeviceState, Rejection
from hub.bridge import records as records_room
from hub.bridge import worker as worker_room
from hub.bridge.storing import now_ms
from hub.protocol import frames, topics
from tests.hub.bridge.parts import message, until
from tests.hub.bridge.trouble import unavailable
from tests.hub.bridge.workbench import Bench, end

pytestmark = pytest.mark.usefixtures("thermostat")


async def test_good_and_bad_messages_are_stored_written_down_and_acknowledged_in_order(bench: Bench):
    task = await bench.run()
    bench.arrive({"temperature": 1})
    bench.arrive(b"{")
    bench.arrive(b"online", topics.status("thermostat", "t1"))
    bench.arrive({"temperature": 1}, "devices/x")
    bench.arrive({"temperature": 2}, topics.telemetry("thermostat", "nobody"))
    bench.arrive({"ok": True}, topics.reply("thermostat", "t1", "c1"))
    await until(lambda: bench.ear.acknowledged == [1, 2, 3, 4, 5, 6])
    refused = await bench.records.run(
        lambda: list(Rejection.objects.order_by("id").values_list("uid", "reason"))
    )
    assert refused == [("t1", "not_json"), ("", "bad_topic"), ("nobody", "unknown_device")]
    assert bench.ear.published == ["devices/thermostat/t1/rejections"]
    states = await bench.records.run(lambda: list(DeviceState.objects.values_list("state", "because")))
    assert states == [("online", "reading")]
    bench.store.check_laws([0, bench.key])
    await end(task)


async def test_nothing_is_acknowledged_before_the_commit(bench: Bench):
    task = await bench.run()
    bench.store.before_append = [unavailable()] * 10_000
    bench.arrive({"temperature": 1})
    await until(lambda: not bench.storing.storing)
    assert bench.ear.acknowledged == []
    assert bench.worker.lag_ms() >= 0
    bench.store.before_append.clear()
    await until(lambda: bench.ear.acknowledged == [1])
    await end(task)


async def test_nothing_is_acknowledged_before_refusals_are_written_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    task = await bench.run()
    written = records_room.write
    locked = True

    def write(*args: object) -> None:
        if locked:
            raise OperationalError("database is locked")
        written(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(records_room, "write", write)
    bench.arrive(b"{")
    await until(lambda: not bench.storing.storing)
    assert bench.ear.acknowledged == []
    assert bench.store.ledger([bench.key])[bench.key].rejected == 1
    locked = False
    await until(lambda: bench.ear.acknowledged == [1])
    assert await bench.records.run(Rejection.objects.count) == 1
    await end(task)


async def test_a_crash_before_the_commit_acknowledges_nothing(bench: Bench):
    task = await bench.run()
    bench.store.before_append = [ZeroDivisionError("a bug")]
    bench.arrive({"temperature": 1})
    with pytest.raises(ZeroDivisionError):
        await task
    assert bench.ear.acknowledged == []


async def test_a_batch_holds_no_more_readings_than_it_may(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """A message is never split."""
    monkeypatch.setattr(worker_room, "BATCH_MAX_READINGS", 10)
    await bench.worker.start()
    start_ms = now_ms() - 1_000
    for number in range(7):
        bench.arrive([{"ts": start_ms + 4 * number + n, "temperature": n} for n in range(4)])
    before = len(bench.store.batches)
    task = asyncio.create_task(bench.worker.run())
    await until(lambda: bench.ear.acknowledged == list(range(1, 8)))
    assert [len(batch.readings) for batch in bench.store.batches[before:]] == [12, 12, 4]
    bench.store.check_laws([bench.key])
    await end(task)


async def test_frames_are_forwarded_after_the_commit_as_they_were_logged(bench: Bench):
    channel = await bench.layer.new_channel()
    await bench.layer.group_add("type.thermostat", channel)
    task = await bench.run()
    forwarding = asyncio.create_task(bench.forwarder.run())
    bench.arrive({"temperature": 1})
    await until(lambda: len(bench.frames()) == 4)
    sent = [frames.frame_of_event(await bench.layer.receive(channel)) for _ in range(4)]
    assert sent == bench.frames()
    assert [frame.kind for frame in sent] == ["device_type", "devices", "states", "readings"]
    await end(task)
    await end(forwarding)


async def test_a_change_of_the_registry_reaches_pages_and_a_device_switched_off_is_offline(bench: Bench):
    task = await bench.run()
    bench.arrive({"temperature": 1})
    await until(lambda: bench.ear.acknowledged == [1])

    def switch_off() -> None:
        registry.update_device(Device.objects.get(uid="t1"), enabled=False)

    await bench.records.run(switch_off)
    await until(lambda: [frame.kind for frame in bench.frames()][4:] == ["devices", "states"])
    (change,) = frames.decode_states(bench.frames()[-1].body)
    assert (change.state, change.because) == ("offline", "disabled")
    bench.arrive({"temperature": 2})
    await until(lambda: bench.ear.acknowledged == [1, 2])
    assert await bench.records.run(lambda: Rejection.objects.get().reason) == "device_disabled"
    await end(task)


async def test_a_bridge_that_died_before_it_wrote_that_a_device_is_off_says_so_at_the_start(bench: Bench):
    def leave_online() -> None:
        device = Device.objects.get(uid="t1")
        registry.update_device(device, enabled=False)
        DeviceState.objects.create(device=device, state="online", since_ms=1, because="reading")

    await bench.records.run(leave_online)
    await bench.worker.start()
    newest = await bench.records.run(lambda: DeviceState.objects.first())
    assert newest is not None
    assert (newest.state, newest.because) == ("offline", "disabled")


async def test_what_the_broker_says_it_dropped_is_reported_and_no_bad_topic(bench: Bench):
    task = await bench.run()
    assert bench.reporter.report()["dropped_by_broker"] is None
    for number, payload in enumerate((b"7", b"many", b"-1", b"9" * 30, b"", b"12"), 1):
        bench.arrive(payload, topics.DROPPED_BY_BROKER)
        await until(lambda number=number: len(bench.ear.acknowledged) == number)  # type: ignore[misc]
        assert bench.worker.dropped_by_broker == (12 if number == 6 else 7)
    assert bench.reporter.report()["dropped_by_broker"] == 12
    assert not await bench.records.run(Rejection.objects.exists)
    assert bench.store.ledger([0]) == {}
    await end(task)


def test_topics_that_are_too_long_to_be_ours_are_not_remembered():
    remembered = worker_room._parse_topic.cache_info().currsize
    assert worker_room._topic_of(message(b"", "devices/" + "x" * 60_000)) is None
    assert worker_room._topic_of(message(b"", None)) is None
    assert worker_room._parse_topic.cache_info().currsize == remembered
    assert worker_room._topic_of(message(b"", topics.telemetry("t", "d"))) is not None
