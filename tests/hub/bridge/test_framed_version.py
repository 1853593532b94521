"""Up to which version of the registry pages were told, so that a start tells them no more than is new."""

import asyncio

import pytest

from devices import registry
from hub.bridge.numbering import Numbering
from hub.bridge.records import Records
from hub.bridge.registry import Registry, load_version
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing
from hub.protocol import topics
from tests.hub.bridge.parts import until
from tests.hub.bridge.trouble import TroubledStore
from tests.hub.bridge.workbench import Bench, end

pytestmark = pytest.mark.usefixtures("thermostat")


async def missed(store: TroubledStore, records: Records) -> list[str]:
    """The devices of which the next bridge would tell at its start."""
    copy = Registry()
    senders = Senders(store, copy, Storing(store, Numbering("main-2"), copy), records)
    return [entry.uid for entry in (await senders.load()).devices]


async def test_a_type_that_nothing_happened_to_is_not_told_again(
    bench: Bench, store: TroubledStore, records: Records
):
    """Its own head says an older version, or is gone: the newest of any type covers all."""
    await bench.worker.start()
    assert await missed(store, records) == []
    await records.run(lambda: registry.create_device_type("pump", metrics=[{"key": "flow"}]))
    await records.run(registry.create_device, "p1", "pump")
    assert await missed(store, records) == ["p1"]
    task = asyncio.create_task(bench.worker.run())
    await until(lambda: "p1" in bench.senders.registry.devices)
    await until(lambda: store.heads("pump") != {})
    assert await missed(store, records) == []
    await end(task)


async def test_what_was_told_is_remembered_by_a_source_that_only_stores_readings(
    bench: Bench, store: TroubledStore, records: Records
):
    """A bridge that found nothing new at its start, and whose predecessor's heads are forgotten."""
    await bench.worker.start()
    version = await records.run(load_version)
    second = Bench(store, records)
    second.storing._numbering = Numbering("main-2")
    task = await second.run()
    mid = second.arrive({"temperature": 1}, topics.telemetry("thermostat", "t1"))
    await until(lambda: second.ear.acknowledged == [mid])
    assert store.heads("thermostat")["main-2"].registry_version == version
    await end(task)
