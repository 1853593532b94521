"""When a worker may say that a device is silent: only of what it could have heard."""

import asyncio

import pytest

from devices.models import DeviceState
from hub.bridge import worker as worker_room
from hub.bridge.storing import now_ms
from hub.protocol import topics
from tests.hub.bridge.parts import message, until
from tests.hub.bridge.workbench import Bench, end

pytestmark = pytest.mark.usefixtures("thermostat")
DAY_MS = 86_400_000


async def silent(bench: Bench) -> bool:
    states = await bench.records.run(lambda: list(DeviceState.objects.values_list("state", flat=True)))
    return "silent" in states


async def heard_a_day_ago(bench: Bench) -> None:
    """The device is online, and nothing came from it for a day."""
    await bench.worker.start()
    bench.senders.presence.reading(bench.senders.registry.devices["t1"], now_ms() - DAY_MS, 1)


async def test_a_device_is_silent_when_everything_that_arrived_was_judged(bench: Bench):
    await heard_a_day_ago(bench)
    task = asyncio.create_task(bench.worker.run())
    await until(lambda: bench.senders.presence.counts(bench.senders.registry)["thermostat"]["silent"] == 1)
    await until(lambda: len(bench.frames()) == 3)
    await end(task)


async def test_what_waits_in_the_inbox_makes_nobody_silent(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """The hub was slow, the device was not: its readings of the day are in the inbox."""
    monkeypatch.setattr(worker_room, "BATCH_MAX_MESSAGES", 1)
    await heard_a_day_ago(bench)
    for mid in range(1, 1_000, 100):
        arrived_ms = now_ms() - DAY_MS + mid * 86_400
        bench.inbox.put(message({"temperature": 1}, mid=mid, arrived_ms=arrived_ms))
    bench.inbox.put(message({"temperature": 1}, mid=1_001, arrived_ms=now_ms()))
    monkeypatch.setattr(worker_room, "SILENCE_CHECK_EVERY_S", 0.0)
    monkeypatch.setattr("hub.bridge.presence.SILENT_AFTER_MIN_S", 3 * 3_600.0)
    task = asyncio.create_task(bench.worker.run())
    await until(lambda: len(bench.ear.acknowledged) == 11)
    await end(task)
    assert not await silent(bench)


async def test_nobody_is_silent_while_the_hub_does_not_receive(bench: Bench):
    await heard_a_day_ago(bench)
    bench.ear.receiving_since_ms = None
    task = asyncio.create_task(bench.worker.run())
    bench.arrive({"temperature": 1}, topics.telemetry("thermostat", "nobody"))
    await until(lambda: bench.ear.acknowledged == [1])
    bench.ear.receiving_since_ms = now_ms()
    bench.arrive({"temperature": 1}, topics.telemetry("thermostat", "nobody"))
    await until(lambda: bench.ear.acknowledged == [1, 2])
    await end(task)
    assert not await silent(bench)
