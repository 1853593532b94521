"""The registry at most a second old, unknown ids looked up at once, and what is remembered of each."""

import pytest

from devices import registry
from devices.models import Device, DeviceState
from hub.bridge import registry as registry_queries
from hub.bridge.numbering import Numbering
from hub.bridge.records import Records
from hub.bridge.registry import Registry
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing
from hub.history.store import Arrivals, Batch, Reading
from hub.protocol.frames import Frame
from tests.hub.bridge.parts import NOW_MS
from tests.hub.bridge.trouble import TroubledStore

pytestmark = pytest.mark.usefixtures("thermostat")


class Clock:
    now_s = 1_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr("hub.bridge.senders.time.monotonic", lambda: fake.now_s)
    return fake


@pytest.fixture
async def senders(store: TroubledStore, records: Records, clock: Clock) -> Senders:
    copy = Registry()
    made = Senders(store, copy, Storing(store, Numbering("main-1"), copy), records)
    made.apply(await made.load())
    return made


async def look(senders: Senders, *uids: str) -> bool:
    """Compare with the database as a step does; whether anything changed."""
    changes = await senders.changes(set(uids))
    if changes is not None:
        senders.apply(changes)
    return changes is not None


def device_of(uid: str) -> Device:
    return Device.objects.get(uid=uid)


def delete(uid: str) -> None:
    registry.delete_device(device_of(uid))


def switch_off(uid: str) -> None:
    registry.update_device(device_of(uid), enabled=False)


def move(uid: str, slug: str) -> None:
    registry.update_device(device_of(uid), device_type=slug)


async def test_everything_is_known_at_the_start(senders: Senders):
    assert senders.registry.devices["t1"].type_slug == "thermostat"
    kind = senders.registry.types["thermostat"]
    assert list(kind.metrics) == ["temperature", "mode"]
    assert (kind.expected_interval_s, kind.retention_ms) == (60.0, 30 * 86_400_000)


async def test_a_change_is_seen_within_a_second_and_not_asked_for_at_every_step(
    senders: Senders, records: Records, clock: Clock
):
    await records.run(switch_off, "t1")
    clock.now_s += 0.4
    assert not await look(senders, "t1")
    clock.now_s += 0.2
    assert await look(senders, "t1")
    assert not senders.registry.devices["t1"].enabled
    clock.now_s += 0.6
    assert not await look(senders, "t1")


async def test_a_device_that_was_registered_a_moment_ago_is_known_at_once(senders: Senders, records: Records):
    await records.run(registry.create_device, "t2", "thermostat")
    assert await look(senders, "t1", "t2")
    assert "t2" in senders.registry.devices


async def test_a_type_that_was_made_a_moment_ago_comes_with_its_device(senders: Senders, records: Records):
    await records.run(lambda: registry.create_device_type("pump", metrics=[{"key": "flow"}]))
    await records.run(registry.create_device, "p1", "pump")
    assert await look(senders, "p1")
    assert senders.registry.devices["p1"].type_slug == "pump"
    assert "flow" in senders.registry.types["pump"].metrics


async def test_an_id_that_nobody_knows_is_asked_for_once_a_second(
    senders: Senders, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    asked: list[float] = []
    load_version = registry_queries.load_version

    def load() -> int:
        asked.append(clock.now_s)
        return load_version()

    monkeypatch.setattr(registry_queries, "load_version", load)
    for _ in range(40):
        await look(senders, "nobody")
        clock.now_s += 0.05
    assert asked[0] == 1_000.0
    assert len(asked) == 4, "at once, and then every half second as for everybody"


async def test_a_device_registered_after_it_was_refused_is_taken_within_a_second(
    senders: Senders, records: Records, clock: Clock
):
    await look(senders, "t2")
    await records.run(registry.create_device, "t2", "thermostat")
    clock.now_s += 0.6
    assert await look(senders, "t2")
    assert "t2" in senders.registry.devices


async def test_the_ids_that_nobody_knows_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry_queries, "UNKNOWN_DEVICE_CACHE_SIZE", 100)
    copy = Registry()
    for number in range(1_000):
        copy.remember_unknown({f"x{number}"}, 5.0)
    assert len(copy._unknown_until_s) <= 101


async def test_a_deleted_device_is_forgotten(senders: Senders, records: Records, clock: Clock):
    await senders.know({"t1"})
    key = senders.registry.devices["t1"].key
    senders.presence.load({key: "online"})
    await records.run(delete, "t1")
    clock.now_s += 1
    await look(senders)
    assert "t1" not in senders.registry.devices
    assert key not in senders.tracks
    assert senders.presence.counts(senders.registry)["thermostat"] == {}


async def test_a_device_that_was_deleted_and_made_again_is_another(
    senders: Senders, records: Records, clock: Clock
):
    before = senders.registry.devices["t1"]
    await records.run(delete, "t1")
    await records.run(registry.create_device, "t1", "thermostat")
    clock.now_s += 1
    await look(senders)
    assert senders.registry.devices["t1"].key != before.key


async def test_a_deleted_type_is_forgotten(senders: Senders, records: Records, clock: Clock):
    await records.run(delete, "t1")
    await records.run(registry.delete_device_type, "thermostat")
    clock.now_s += 1
    await look(senders)
    assert senders.registry.types == {}


async def test_a_device_that_moved_is_told_with_the_type_it_left(
    senders: Senders, records: Records, clock: Clock
):
    await records.run(registry.create_device_type, "pump")
    await records.run(move, "t1", "pump")
    changes = await senders.changes({"new"})
    assert changes is not None
    assert [(entry.uid, entry.type_slug) for entry in senders.apply(changes)] == [("t1", "thermostat")]
    assert senders.registry.devices["t1"].type_slug == "pump"


async def test_what_is_remembered_of_a_device_comes_from_the_store(store: TroubledStore, senders: Senders):
    key = senders.registry.devices["t1"].key
    store.append(
        Batch(
            NOW_MS,
            [Reading(key, NOW_MS - 500, NOW_MS, 7, {"temperature": 1})],
            {key: Arrivals(1, last_seq=7, holes=[(3, 4)])},
        )
    )
    await senders.know({"t1", "nobody"})
    track = senders.tracks[key]
    assert (track.last_seq, track.holes, track.newest_ms) == (7, [(3, 4)], NOW_MS - 500)
    assert track.give_time(NOW_MS) == NOW_MS + 1
    kind = senders.registry.types["thermostat"]
    device = senders.registry.devices["t1"]
    assert senders.presence.retained_status(device, "offline", NOW_MS + 1, 1, kind) is None


async def test_pages_are_told_at_the_start_what_changed_while_no_bridge_ran(
    store: TroubledStore, senders: Senders, records: Records
):
    version = senders.registry.version
    frame = Frame("thermostat", "main-1", 1, 1, "devices", NOW_MS, '"changed":[],"removed":[]')
    store.append(Batch(NOW_MS, frames=[frame], registry_versions={("thermostat", "main-1"): version}))
    assert (await senders.load()).devices == []
    await records.run(registry.create_device, "t2", "thermostat")
    missed = await senders.load()
    assert [entry.uid for entry in missed.devices] == ["t2"]
    assert missed.type_shapes == {}


async def test_states_are_remembered_from_before(senders: Senders, records: Records):
    key = senders.registry.devices["t1"].key

    def write() -> None:
        for state in ("online", "silent"):
            DeviceState.objects.create(device_id=key, state=state, since_ms=1, because="reading")

    await records.run(write)
    await senders.load()
    assert senders.presence.counts(senders.registry)["thermostat"] == {"silent": 1}
