"""`manage.py housekeeping` as production runs it: a process of its own beside bridges and brokers."""

import time
from pathlib import Path

from hub.history.sqlite import SqliteStore
from hub.history.store import Arrivals, Batch, Reading
from tests.parts.hub_process import HubEnvironment, wait_until

HOUR = 3_600_000
END_WITHIN_S = 5.0
REGISTER = """
from devices import registry
metrics = [{"key": "t", "kind": "number"}]
registry.create_device_type(slug="pump", name="Pump", metrics=metrics, retention_days=1)
for uid in ("pump-1", "pump-2"):
    print(registry.create_device(uid=uid, device_type="pump")[0].pk)
"""
DELETE_A_MINUTE_AGO = """
import datetime as dt
from django.utils import timezone
from devices import registry
from devices.models import Device, Tombstone
registry.delete_device(Device.objects.get(uid="pump-2"))
Tombstone.objects.update(deleted_at=timezone.now() - dt.timedelta(seconds=100))
"""


def hub_beside_mosquitto(folder: Path) -> HubEnvironment:
    return HubEnvironment(
        folder,
        HUB_BROKER="mosquitto",
        HUB_MQTT_URL="mqtt://127.0.0.1:1",
        HUB_MOSQUITTO_DIR=str(folder / "mosquitto"),
    )


def append(store: SqliteStore, device: int, first_ms: int) -> None:
    readings = [Reading(device, first_ms + n * 1_000, first_ms, n, {"t": n}) for n in range(100)]
    store.append(Batch(first_ms, readings, {device: Arrivals(received=100)}))


def test_once_does_all_that_is_due_and_ends(tmp_path: Path) -> None:
    hub = hub_beside_mosquitto(tmp_path)
    devices = [int(line) for line in hub.shell(REGISTER).split()]
    store = SqliteStore(hub.history_file, 1_000_000)
    store.prepare()
    now_ms = int(time.time() * 1_000)
    append(store, devices[0], now_ms - 50 * HOUR)
    append(store, devices[1], now_ms - 10 * HOUR)
    hub.shell(DELETE_A_MINUTE_AGO)
    hub.manage("housekeeping", "--once")
    assert "pump-1" in (tmp_path / "mosquitto" / "passwords").read_text()
    assert "pump-2" not in (tmp_path / "mosquitto" / "passwords").read_text()
    assert store.rollup_state(devices[0]).rolled_to > now_ms - 2 * HOUR
    assert store.ledger(devices)[devices[0]].pruned == 100
    assert store.read(devices[0], [], 0, now_ms, 1_000).resolution == "1m"
    assert devices[1] not in store.ledger(devices)
    store.close()


def test_it_follows_the_registry_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    hub = hub_beside_mosquitto(tmp_path)
    passwords = tmp_path / "mosquitto" / "passwords"
    with hub.start("housekeeping") as process:
        wait_until(passwords.exists, what="the first rendering")
        hub.shell(REGISTER)
        wait_until(lambda: "pump-2" in passwords.read_text(), what="the accounts of new devices")
        hub.shell(DELETE_A_MINUTE_AGO)
        wait_until(
            lambda: "pump-2" not in passwords.read_text(), what="the end of a deleted device's account"
        )
        begun_s = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - begun_s < END_WITHIN_S
        assert "Traceback" not in process.output
