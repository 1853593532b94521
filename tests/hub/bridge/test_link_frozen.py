"""What a link asks before it connects, and what it makes of time in which nobody looked."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from devices.mqtt import BrokerAddress
from hub.bridge import mqtt
from hub.bridge.inbox import Inbox
from hub.bridge.lease import LeaseLostError
from hub.bridge.mqtt import Link
from hub.protocol.topics import BRIDGE_FILTERS
from tests.hub.bridge.broker import CONNECT, ScriptedBroker
from tests.hub.bridge.parts import until


class Clock:
    now_ms = 1_763_796_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(mqtt, "_now_ms", lambda: fake.now_ms)
    for name in ("RECONNECT_MIN_S", "RECONNECT_MAX_S", "_MISC_EVERY_S"):
        monkeypatch.setattr(mqtt, name, 0.01)
    return fake


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    made = ScriptedBroker()
    yield made
    await made.stop()


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_before_every_connect_it_asks_whether_it_may(broker: ScriptedBroker, clock: Clock):
    asked: list[int] = []

    async def may_connect() -> None:
        asked.append(broker.num_connections)
        if len(asked) == 3:
            raise LeaseLostError("Another bridge took the slot over.")

    address = BrokerAddress("127.0.0.1", await broker.start(), False, "hub.bridge", "secret")
    link = Link(address, "hub.bridge", BRIDGE_FILTERS, Inbox(), may_connect)
    task = asyncio.create_task(link.run())
    for number in (1, 2):
        await until(lambda number=number: link.receiving and len(broker.bodies(CONNECT)) == number)  # type: ignore[misc]
        broker.cut()
    await until(task.done)
    with pytest.raises(LeaseLostError):
        task.result()
    assert asked == [0, 1, 2]
    assert not link.receiving


async def test_silence_counts_again_from_when_a_frozen_process_woke_up(broker: ScriptedBroker, clock: Clock):
    """What devices said meanwhile still waits in the socket; no device was silent for that."""
    address = BrokerAddress("127.0.0.1", await broker.start(), False, "hub.bridge", "secret")
    link = Link(address, "hub.bridge", BRIDGE_FILTERS, Inbox())
    task = asyncio.create_task(link.run())
    await until(lambda: link.receiving)
    began_ms = clock.now_ms
    assert link.receiving_since_ms == began_ms
    clock.now_ms += 60_000
    await until(lambda: link.receiving_since_ms == began_ms + 60_000)
    await end(task)
