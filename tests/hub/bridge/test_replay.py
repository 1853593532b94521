"""A rejected payload that is asked for is taken as a new arrival with its first time of arrival."""

import asyncio
from typing import Any

import pytest

from devices import registry, replays
from devices.models import Device, DeviceState, Rejection, Replay
from hub.bridge import replay as replay_room
from hub.bridge.storing import now_ms
from hub.protocol import topics
from tests.hub.bridge.parts import until
from tests.hub.bridge.trouble import unavailable
from tests.hub.bridge.workbench import Bench, end

pytestmark = pytest.mark.usefixtures("thermostat")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_room, "REPLAY_EVERY_S", 0.0)


def ask() -> None:
    """Ask for every rejection there is."""
    for rejection in replays.with_replays(Rejection.objects.all()):
        replays.request(rejection, now_ms())


def newest_device() -> Device:
    return Device.objects.order_by("-pk")[0]


async def outcome(bench: Bench) -> dict[str, Any]:
    """What became of the only replay, once it is told."""
    found: dict[str, Any] = {}

    def look() -> dict[str, Any]:
        fields = ("outcome", "stored", "updated", "duplicate", "rejected", "reason")
        return Replay.objects.exclude(outcome="").values(*fields).first() or {}

    while not found:
        bench.inbox._arrived.set()  # wakes the worker as a message would
        found = await asyncio.wait_for(bench.records.run(look), 5)
        await asyncio.sleep(0.002)
    return {name: value for name, value in found.items() if value}


async def refuse(bench: Bench, payload: object, topic: str = topics.telemetry("thermostat", "t1")) -> int:
    """Have a payload refused; returns when it arrived."""
    before_ms = now_ms()
    mid = bench.arrive(payload, topic)
    await until(lambda: mid in bench.ear.acknowledged)
    assert before_ms <= now_ms()
    arrived_ms: int = await bench.records.run(lambda: Rejection.objects.order_by("-id")[0].last_ms)
    return arrived_ms


def add_metric(*keys: str) -> None:
    metrics: list[registry.MetricFields] = [{"key": key} for key in ("temperature", *keys)]
    registry.update_device_type("thermostat", metrics=[*metrics, {"key": "mode", "kind": "text"}])


async def test_after_the_cause_was_removed_it_is_stored_at_its_time(bench: Bench):
    task = await bench.run()
    arrived_ms = await refuse(bench, {"seq": 7, "values": {"humidity": 40}})
    await bench.records.run(add_metric, "humidity")
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "stored", "stored": 1}
    (row,) = bench.store.rows_page(bench.key, 0, 2**62, -1, 10)
    assert (row.ts_ms, row.received_ms, row.seq, row.values) == (arrived_ms, arrived_ms, 7, {"humidity": 40})
    ledger = bench.store.ledger([bench.key])[bench.key]
    assert (ledger.received, ledger.rejected, ledger.stored) == (2, 1, 1)
    bench.store.check_laws([bench.key])
    assert any(frame.kind == "readings" for frame in bench.frames()), "browsers get it"
    assert not await bench.records.run(DeviceState.objects.exists), "it says nothing of presence now"
    await end(task)


async def test_a_value_that_was_refused_joins_the_reading_it_came_with(bench: Bench):
    task = await bench.run()
    arrived_ms = await refuse(bench, {"temperature": 21, "humidity": 40})
    await bench.records.run(add_metric, "humidity")
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "updated", "updated": 1}
    (row,) = bench.store.rows_page(bench.key, 0, 2**62, -1, 10)
    assert (row.ts_ms, row.values) == (arrived_ms, {"temperature": 21, "humidity": 40})
    bench.store.check_laws([bench.key])
    await end(task)


async def test_with_the_cause_still_there_it_is_rejected_again_and_counted(bench: Bench):
    task = await bench.run()
    await refuse(bench, {"humidity": 40})
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "rejected", "rejected": 1, "reason": "unknown_metric"}
    ledger = bench.store.ledger([bench.key])[bench.key]
    assert (ledger.received, ledger.rejected) == (2, 2)
    assert await bench.records.run(lambda: Rejection.objects.get().count) == 2
    await end(task)


async def test_an_array_tells_how_many_of_its_readings_became_what(bench: Bench):
    task = await bench.run()
    now = now_ms() - 10_000
    bench.arrive({"ts": now, "temperature": 1})
    elements = [
        {"ts": now, "temperature": 1},
        {"ts": now + 1, "humidity": 1},
        {"ts": 0, "humidity": 1},
        {"humidity": 2},
    ]
    await refuse(bench, elements)
    await bench.records.run(add_metric, "humidity")
    await bench.records.run(lambda: replays.request(replays.with_replays(Rejection.objects.all())[0], 1))
    assert await outcome(bench) == {
        "outcome": "stored",
        "stored": 2,
        "duplicate": 1,
        "rejected": 1,
        "reason": "bad_timestamp",
    }
    bench.store.check_laws([bench.key])
    await end(task)


async def test_a_device_registered_since_gets_what_was_sent_before(bench: Bench):
    task = await bench.run()
    arrived_ms = await refuse(bench, {"temperature": 5}, topics.telemetry("thermostat", "late"))
    await bench.records.run(registry.create_device, "late", "thermostat")
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "stored", "stored": 1}
    key = (await bench.records.run(newest_device)).pk
    assert [row.ts_ms for row in bench.store.rows_page(key, 0, 2**62, -1, 10)] == [arrived_ms]
    bench.store.check_laws([key, bench.key])
    await end(task)


@pytest.mark.parametrize("reason", ["device_disabled", "unknown_device"])
async def test_a_device_that_is_switched_off_or_gone_is_told(bench: Bench, reason: str):
    task = await bench.run()
    uid = "t1" if reason == "device_disabled" else "ghost"
    await refuse(bench, {"humidity": 40}, topics.telemetry("thermostat", uid))
    await bench.records.run(lambda: registry.update_device(newest_device(), enabled=False))
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "rejected", "rejected": 1, "reason": reason}
    bench.store.check_laws([bench.key, 0])
    await end(task)


async def test_a_type_that_learns_since_learns_from_it(bench: Bench):
    task = await bench.run()
    await refuse(bench, {"humidity": 40})
    await bench.records.run(lambda: registry.update_device_type("thermostat", unknown_metrics="learn"))
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "stored", "stored": 1}
    assert "humidity" in bench.senders.registry.types["thermostat"].metrics
    await end(task)


async def test_what_the_database_refuses_is_told(bench: Bench):
    task = await bench.run()
    await refuse(bench, {"humidity": 13})
    await bench.records.run(add_metric, "humidity")
    bench.store.refuses = {13}
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "rejected", "rejected": 1, "reason": "not_storable"}
    bench.store.check_laws([bench.key])
    await end(task)


async def test_a_commit_whose_answer_was_lost_is_told_as_it_was(bench: Bench):
    task = await bench.run()
    await refuse(bench, {"humidity": 40})
    await bench.records.run(add_metric, "humidity")
    bench.store.before_append, bench.store.after_commit = [None, None], [None, unavailable()]
    await bench.records.run(ask)
    assert await outcome(bench) == {"outcome": "stored", "stored": 1}
    bench.store.check_laws([bench.key])
    await end(task)


async def test_a_crash_between_store_and_note_repeats_it_and_the_laws_hold(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    task = await bench.run()
    arrived_ms = await refuse(bench, [{"humidity": 40}, {"humidity": 41}])
    await bench.records.run(add_metric, "humidity")
    with monkeypatch.context() as crash:

        def die(*_: object) -> None:
            raise ZeroDivisionError("the bridge dies here")

        crash.setattr(replays, "finish", die)
        await bench.records.run(ask)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(task, 5)
    assert bench.store.ledger([bench.key])[bench.key].stored == 2
    after = Bench(bench.store, bench.records)
    task = await after.run()
    assert await outcome(after) == {"outcome": "duplicate", "duplicate": 2}
    rows = bench.store.rows_page(bench.key, 0, 2**62, -1, 10)
    assert [row.ts_ms for row in rows] == [arrived_ms, arrived_ms + 1]
    ledger = bench.store.ledger([bench.key])[bench.key]
    assert (ledger.received, ledger.stored, ledger.duplicate) == (6, 2, 2)
    bench.store.check_laws([bench.key])
    await end(task)


async def test_many_that_wait_are_taken_a_few_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replay_room, "REPLAYS_PER_LOOK", 2)
    task = await bench.run()
    for number in range(5):
        await refuse(bench, {f"new{number}": 1})
    await bench.records.run(add_metric, *(f"new{number}" for number in range(5)))
    await bench.records.run(ask)
    await outcome(bench)
    while await bench.records.run(lambda: Replay.objects.filter(outcome="").exists()):
        bench.inbox._arrived.set()
        await asyncio.sleep(0.002)
    ledger = bench.store.ledger([bench.key])[bench.key]
    assert (ledger.received, ledger.rejected, ledger.stored) == (10, 5, 5)
    bench.store.check_laws([bench.key])
    await end(task)
