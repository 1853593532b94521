"""A bridge from lease to link: it works while it holds its slot, and waits when it lost it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from channels.layers import InMemoryChannelLayer

from devices.models import BridgeLease, DeviceState
from devices.mqtt import BrokerAddress
from hub.bridge import lease as lease_room
from hub.bridge.records import Records
from hub.bridge.service import Bridge
from hub.history.store import Batch, Outcome
from tests.hub.bridge.broker import DISCONNECT, SUBSCRIBE, ScriptedBroker
from tests.hub.bridge.parts import until
from tests.hub.bridge.trouble import TroubledStore

pytestmark = pytest.mark.usefixtures("thermostat")
TOPIC = b"devices/thermostat/t1/telemetry"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE_LOOK_EVERY_S", "LEASE_RENEW_EVERY_S", "LEASE_RETRY_S"):
        monkeypatch.setattr(lease_room, name, 0.01)


class SlowStore(TroubledStore):
    """Commits readings when it is allowed to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_commit = threading.Event()
        self.committing = threading.Event()

    def append(self, batch: Batch) -> list[Outcome]:
        if batch.readings:
            self.committing.set()
            assert self.may_commit.wait(10)
        return super().append(batch)


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    made = ScriptedBroker()
    yield made
    await made.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SlowStore]:
    opened = SlowStore(tmp_path / "history.sqlite3")
    opened.prepare()
    yield opened
    opened.close()


@pytest.fixture
async def bridge(broker: ScriptedBroker, store: SlowStore, records: Records) -> AsyncIterator[Bridge]:
    address = BrokerAddress("127.0.0.1", await broker.start(), False, "hub.bridge", "secret")
    made = Bridge("main", address, store, InMemoryChannelLayer())
    task = asyncio.create_task(made.run())
    yield made
    store.may_commit.set()
    await end(task)
    assert await records.run(holder) == "", "it is given back"


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def holder() -> str:
    return BridgeLease.objects.get().holder


def take_over() -> None:
    BridgeLease.objects.update(holder="another", machine="elsewhere", host="plant-2", pid=123)


def give_back() -> None:
    BridgeLease.objects.update(holder="")


async def test_one_that_lost_its_slot_acknowledges_nothing_and_begins_anew_when_it_is_free(
    bridge: Bridge, broker: ScriptedBroker, store: SlowStore, records: Records
):
    await until(lambda: len(broker.bodies(SUBSCRIBE)) == 1)
    await until(lambda: bridge.not_ready() == [])
    assert bridge.role == "active"
    broker.publish(TOPIC, json.dumps({"ts": 1, "temperature": 1}).encode(), mid=1)
    broker.publish(TOPIC, json.dumps({"temperature": 1}).encode(), mid=2)
    await until(store.committing.is_set)
    await records.run(take_over)
    await until(lambda: bridge.role == "standby")
    assert bridge.not_ready() == [], "to wait is its work now"
    store.may_commit.set()
    await until(lambda: len(store.batches) >= 2)
    await until(lambda: len(broker.bodies(DISCONNECT)) == 1)
    assert broker.acknowledged == []
    assert not await records.run(DeviceState.objects.exists), "nor does it tell of transitions"
    await records.run(give_back)
    await until(lambda: len(broker.bodies(SUBSCRIBE)) == 2)
    broker.publish(TOPIC, json.dumps({"temperature": 2}).encode(), mid=1)
    await until(lambda: broker.acknowledged == [1])
    assert len(store.heads("thermostat")) == 2, "frames under another source"


async def test_a_standby_that_ends_leaves_the_slot_to_its_holder_and_a_holder_gives_it_back(
    bridge: Bridge, broker: ScriptedBroker, store: SlowStore, records: Records
):
    await until(lambda: len(broker.bodies(SUBSCRIBE)) == 1)
    second = Bridge("main", BrokerAddress("127.0.0.1", 1, False, None, None), store, InMemoryChannelLayer())
    task = asyncio.create_task(second.run())
    first_holder = await records.run(holder)
    assert second.role == "standby"
    await end(task)
    assert await records.run(holder) == first_holder
    await records.run(give_back)
    # It is on standby for some milliseconds only: who signs in again has been there.
    await until(lambda: len(broker.bodies(SUBSCRIBE)) == 2)
    assert bridge.role == "active"
