"""Housekeeping with a real registry and a real history; only the clock is pretended."""

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from devices import registry
from devices.models import Device, DeviceState, Rejection, Tombstone
from hub import housekeeping as module
from hub.history.sqlite import SqliteStore
from hub.history.store import Arrivals, Batch, Reading
from hub.housekeeping import Housekeeping, renders_accounts

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FOREVER = 2**62
pytestmark = pytest.mark.django_db


class Clock:
    """The time that housekeeping believes; begins now, at the start of an hour."""

    def __init__(self) -> None:
        now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1_000)
        self.now_ms = now_ms - now_ms % HOUR + HOUR

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "history.sqlite3", 1_000_000)
    store.prepare()
    yield store
    store.close()


@pytest.fixture
def device() -> Device:
    registry.create_device_type(
        slug="pump", name="Pump", retention_days=2, metrics=[{"key": "t", "kind": "number"}]
    )
    return registry.create_device(uid="pump-1", device_type="pump")[0]


@pytest.fixture
def housekeeping(store: SqliteStore, clock: Clock) -> Housekeeping:
    return Housekeeping(store, now_ms=clock)


def append(store: SqliteStore, device: int, first_ms: int, number: int, step_ms: int = MINUTE) -> None:
    readings = [Reading(device, first_ms + n * step_ms, first_ms, None, {"t": n}) for n in range(number)]
    store.append(Batch(first_ms, readings, {device: Arrivals(received=number)}))


def rows(store: SqliteStore, device: int) -> list[int]:
    return [row.ts_ms for row in store.rows_page(device, 0, FOREVER, 0, 5_000)]


# --- history -------------------------------------------------------------------------------


def test_a_round_rolls_up_and_removes_what_the_type_no_longer_keeps(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    old_ms = clock.now_ms - 3 * DAY
    append(store, device.pk, old_ms, 120)
    append(store, device.pk, clock.now_ms - 2 * DAY - MINUTE, 2)
    append(store, device.pk, clock.now_ms - HOUR, 10)
    housekeeping.once()
    # Within the retention, and an hour longer: the bridge may take it until then.
    assert rows(store, device.pk)[0] == clock.now_ms - 2 * DAY - MINUTE
    assert len(rows(store, device.pk)) == 12
    columns = store.read(device.pk, [], old_ms, clock.now_ms, 24 * 3)
    assert (columns.resolution, columns.ts[:2]) == ("1h", [old_ms, old_ms + HOUR])
    ledger = store.ledger([device.pk])[device.pk]
    assert (ledger.stored, ledger.pruned) == (132, 120)


def test_a_shorter_retention_takes_effect_with_the_next_round(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    append(store, device.pk, clock.now_ms - 40 * HOUR, 10)
    housekeeping.once()
    assert len(rows(store, device.pk)) == 10
    registry.update_device_type("pump", retention_days=1)
    housekeeping.tend()
    assert rows(store, device.pk) == []


def test_the_hour_that_just_ended_waits_for_late_readings(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    append(store, device.pk, clock.now_ms - HOUR, 10)
    clock.now_ms += MINUTE
    housekeeping.tend()
    assert store.rollup_state(device.pk).rolled_to == clock.now_ms - MINUTE - HOUR
    clock.now_ms += MINUTE
    housekeeping.tend()
    assert store.rollup_state(device.pk).rolled_to == clock.now_ms - 2 * MINUTE


# --- deleted devices -----------------------------------------------------------------------


def age(clock: Clock, seconds: float) -> None:
    moment = dt.datetime.fromtimestamp(clock.now_ms / 1_000 - seconds, dt.UTC)
    Tombstone.objects.update(deleted_at=moment)


def test_readings_of_a_deleted_device_go_after_10_s_and_once_more_after_a_minute(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    key = device.pk
    append(store, key, clock.now_ms, 10)
    registry.delete_device(device)
    age(clock, 9)
    housekeeping.purge()
    assert len(rows(store, key)) == 10
    age(clock, 10)
    housekeeping.purge()
    assert rows(store, key) == []
    append(store, key, clock.now_ms, 3)
    age(clock, 30)
    housekeeping.purge()
    assert len(rows(store, key)) == 3
    age(clock, 70)
    housekeeping.purge()
    assert rows(store, key) == []
    assert store.ledger([key]) == {}
    assert Tombstone.objects.get().purged_at is not None


def test_a_batch_that_waited_for_the_history_longer_than_that_leaves_no_orphan_either(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    key = device.pk
    registry.delete_device(device)
    age(clock, 100)
    housekeeping.purge()
    append(store, key, clock.now_ms, 3)
    housekeeping.purge()
    assert store.ledger([key]) == {}
    assert rows(store, key) == []


def test_a_device_deleted_under_load_leaves_no_orphan(
    housekeeping: Housekeeping, store: SqliteStore, clock: Clock, device: Device
) -> None:
    key, other = device.pk, registry.create_device(uid="pump-2", device_type="pump")[0].pk
    ended = threading.Event()

    def load() -> None:
        n = 0
        # The bridge learns of a deletion a second later, and stores on until then.
        while not ended.is_set():
            append(store, key, clock.now_ms - 10 * HOUR + n * 60_000, 50, 1_000)
            append(store, other, clock.now_ms - 10 * HOUR + n * 60_000, 50, 1_000)
            n += 1

    thread = threading.Thread(target=load)
    thread.start()
    registry.delete_device(device)
    try:
        for seconds in (10, 11, 12):
            age(clock, seconds)
            housekeeping.purge()
            housekeeping.roll(5.0)
    finally:
        ended.set()
        thread.join()
    age(clock, 70)
    housekeeping.purge()
    assert rows(store, key) == []
    assert not store.has_readings(key)
    assert store.ledger([key]) == {}
    assert store.rollup_state(key).dirty == ()
    ledger = store.ledger([other])[other]
    assert ledger.stored - ledger.pruned == store.size().num_readings > 0


# --- registry ------------------------------------------------------------------------------


def reject(device: Device, last_ms: int, reason: str = "not_json") -> None:
    Rejection.objects.create(
        device=device,
        uid=device.uid,
        device_type="pump",
        reason=reason,
        window_ms=last_ms,
        payload=b"{",
        first_ms=last_ms,
        last_ms=last_ms,
    )


def test_rejections_go_after_30_days_and_the_oldest_when_they_are_too_many(
    housekeeping: Housekeeping, clock: Clock, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REJECTIONS_KEPT_ROWS", 5)
    monkeypatch.setattr(module, "REMOVED_AT_ONCE", 3)
    reject(device, clock.now_ms - 31 * DAY)
    for n in range(4):
        reject(device, clock.now_ms - n * MINUTE)
    housekeeping.tidy()
    assert Rejection.objects.count() == 4
    for n in range(10, 20):
        reject(device, clock.now_ms - n * MINUTE)
    housekeeping.tidy()
    assert sorted(Rejection.objects.values_list("last_ms", flat=True)) == [
        clock.now_ms - n * MINUTE for n in (10, 3, 2, 1, 0)
    ]


def test_old_transitions_of_presence_go_but_the_newest_stays(
    housekeeping: Housekeeping, clock: Clock, device: Device
) -> None:
    for days in (500, 450, 400):
        DeviceState.objects.create(
            device=device, state="online", since_ms=clock.now_ms - days * DAY, because="reading"
        )
    housekeeping.tidy()
    assert [state.since_ms for state in DeviceState.objects.all()] == [clock.now_ms - 400 * DAY]


def test_tombstones_go_a_month_after_the_last_purge(
    housekeeping: Housekeeping, clock: Clock, device: Device
) -> None:
    registry.delete_device(device)
    age(clock, 80)
    housekeeping.purge()
    housekeeping.tidy()
    assert Tombstone.objects.count() == 1
    clock.now_ms += 31 * DAY
    housekeeping.tidy()
    assert Tombstone.objects.count() == 0


# --- Mosquitto's accounts --------------------------------------------------------------------


def test_accounts_are_rendered_beside_a_mosquitto_that_is_not_our_child(
    housekeeping: Housekeeping, device: Device, tmp_path: Path
) -> None:
    directory = tmp_path / "mosquitto"
    with override_settings(
        HUB_BROKER="mosquitto", HUB_MQTT_URL="mqtt://hub.bridge:x@broker:1883", HUB_MOSQUITTO_DIR=directory
    ):
        assert renders_accounts()
        housekeeping.render()
        assert "pump-1" in (directory / "passwords").read_text()
        registry.create_device(uid="pump-2", device_type="pump")
        housekeeping.render()
        assert "pump-2" not in (directory / "passwords").read_text()
        housekeeping._rendered_s -= 1.0
        housekeeping.render()
        assert "pump-2" in (directory / "passwords").read_text()
    assert not renders_accounts()
