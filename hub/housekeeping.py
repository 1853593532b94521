"""What has to be done now and then, by exactly one process of a hub (design section 6).

Rollups are made, what is no longer kept goes, deleted devices lose their readings, and in production
Mosquitto's account files follow the registry. Everything is done in small steps: nobody waits for it.
Two of them at once only do work twice.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import Exists, Model, OuterRef, QuerySet

from devices.models import Device, DeviceState, Rejection, Tombstone
from devices.registry import current_version
from hub.broker import mosquitto
from hub.history.store import Batch, Cutoffs, HistoryStore
from hub.limits.broker import ACCOUNTS_POLL_S, MOSQUITTO_RENDER_ANYWAY_S, MOSQUITTO_RENDER_EVERY_S
from hub.limits.history import (
    HOURS_KEPT_MS,
    HOUSEKEEPING_EVERY_S,
    HOUSEKEEPING_FIRST_S,
    MINUTES_KEPT_MS,
    ROLL_AFTER_MS,
    ROLL_STEP_S,
    ROUND_ROLL_S,
)
from hub.limits.registry import (
    PURGE_AFTER_S,
    PURGE_AGAIN_AFTER_S,
    PURGE_EVERY_S,
    PURGE_WATCHED_S,
    REJECTIONS_KEPT_MS,
    REJECTIONS_KEPT_ROWS,
    REMOVED_AT_ONCE,
    STATES_KEPT_MS,
    TOMBSTONES_KEPT_S,
)

logger = logging.getLogger(__name__)

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Housekeeping:
    """The duties of one hub. `run()` goes on until it is cancelled; each step is blocking and may be
    called alone."""

    def __init__(self, store: HistoryStore, *, now_ms: Callable[[], int] = _wall_ms) -> None:
        self._store = store
        self._now_ms = now_ms
        self._pruned_for: tuple[int, int] | None = None
        self._purged_once: set[int] = set()
        self._rendered_version: int | None = None
        self._rendered_s = float("-inf")
        self._complained: dict[str, str] = {}
        # Of its own: a long prune must not keep a bridge in the same process from a thread.
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="housekeeping")

    async def run(self) -> None:
        """All duties at their times; what fails is logged and tried again."""
        duties = [
            self._every(HOUSEKEEPING_EVERY_S, "history and registry", self.tend, HOUSEKEEPING_FIRST_S),
            self._every(PURGE_EVERY_S, "readings of deleted devices", self.purge),
        ]
        if renders_accounts():
            duties.append(self._every(ACCOUNTS_POLL_S, "Mosquitto's accounts", self.render))
        try:
            async with asyncio.TaskGroup() as group:
                for duty in duties:
                    group.create_task(duty)
        finally:
            # What is under way ends when the history is closed.
            self._threads.shutdown(wait=False, cancel_futures=True)

    def once(self) -> None:
        """Everything that is due now, to its end."""
        if renders_accounts():
            self.render()
        self.tend(for_s=float("inf"))
        self.purge()

    async def _every(
        self, interval_s: float, name: str, duty: Callable[[], None], first_s: float = 0.0
    ) -> None:
        await asyncio.sleep(first_s)
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, _with_own_connection, duty)
                self._complained.pop(name, None)
            except Exception as error:  # noqa: BLE001 - one duty that fails must not end the others
                self._complain(name, repr(error))
            await asyncio.sleep(interval_s)

    def _complain(self, name: str, text: str) -> None:
        """Once for as long as it is the same."""
        if self._complained.get(name) != text:
            logger.warning("Housekeeping of %s failed and is tried again: %s", name, text)
            self._complained[name] = text

    # --- history and registry ---------------------------------------------------------------

    def tend(self, for_s: float = ROUND_ROLL_S) -> None:
        """Roll up (for about `for_s`), then remove what is no longer kept."""
        # Expired frames and heads go with an append; on a hub that hears nothing this is the only one.
        self._store.append(Batch(self._now_ms()))
        self.roll(for_s)
        self.prune()
        self.tidy()

    def roll(self, for_s: float) -> None:
        """Roll up hours that are over, and those that changed since."""
        until_s = time.monotonic() + for_s
        while not self._store.roll(self._now_ms() - ROLL_AFTER_MS, ROLL_STEP_S).is_finished:
            if time.monotonic() >= until_s:
                return

    def prune(self) -> None:
        """Remove readings by their types' retention, and old rollups; once an hour and registry version.

        An hour later than the bridge refuses readings as too old, so no reading comes to an hour
        that is gone.
        """
        now_ms = self._now_ms()
        due = now_ms // _HOUR_MS, current_version()
        if due == self._pruned_for:
            return
        kept = Device.objects.values_list("pk", "device_type__retention_days")
        raw = {device: now_ms - days * _DAY_MS - _HOUR_MS for device, days in kept.iterator()}
        removed = self._store.prune(Cutoffs(raw, now_ms - MINUTES_KEPT_MS, now_ms - HOURS_KEPT_MS))
        if removed:
            logger.info("%d readings are older than their types keep them and were removed", removed)
        self._pruned_for = due

    def tidy(self) -> None:
        """Remove old rejections, transitions of presence and tombstones."""
        now_ms = self._now_ms()
        _remove(Rejection.objects.filter(last_ms__lt=now_ms - REJECTIONS_KEPT_MS))
        newest = Rejection.objects.order_by("-last_ms", "-id")
        for oldest_kept in newest[REJECTIONS_KEPT_ROWS - 1 : REJECTIONS_KEPT_ROWS]:
            _remove(Rejection.objects.filter(last_ms__lt=oldest_kept.last_ms))
        later = DeviceState.objects.filter(device=OuterRef("device"), pk__gt=OuterRef("pk"))
        # The newest is what a device's state is, however old.
        _remove(DeviceState.objects.filter(Exists(later), since_ms__lt=now_ms - STATES_KEPT_MS))
        _remove(Tombstone.objects.filter(purged_at__lt=_moment(now_ms - TOMBSTONES_KEPT_S * 1_000)))

    # --- deleted devices --------------------------------------------------------------------

    def purge(self) -> None:
        """Remove the readings of deleted devices.

        10 s after the deletion every bridge knows of it; a minute later once more, for what one had
        in its hands. What waited still longer for the history to come back is found by its ledger.
        """
        now_ms = self._now_ms()
        due = Tombstone.objects.filter(
            purged_at=None, deleted_at__lte=_moment(now_ms - PURGE_AFTER_S * 1_000)
        )
        for tombstone in due:
            is_last = tombstone.deleted_at <= _moment(now_ms - PURGE_AGAIN_AFTER_S * 1_000)
            if is_last or tombstone.device_key not in self._purged_once:
                self._purge(tombstone)
                self._purged_once.add(tombstone.device_key)
            if is_last:
                self._purged_once.discard(tombstone.device_key)
                tombstone.purged_at = _moment(now_ms)
                tombstone.save(update_fields=["purged_at"])
        watched = Tombstone.objects.filter(purged_at__gt=_moment(now_ms - PURGE_WATCHED_S * 1_000))
        for device in self._store.ledger(list(watched.values_list("device_key", flat=True))):
            self._store.delete(device)

    def _purge(self, tombstone: Tombstone) -> None:
        removed = self._store.delete(tombstone.device_key)
        if removed:
            logger.info("%d readings of the deleted device %s were removed", removed, tombstone.uid)

    # --- Mosquitto's accounts ---------------------------------------------------------------

    def render(self) -> None:
        """Write Mosquitto's account files after a change of the registry, at most once a second."""
        version, now_s = current_version(), time.monotonic()
        age_s = now_s - self._rendered_s
        is_changed = version != self._rendered_version and age_s >= MOSQUITTO_RENDER_EVERY_S
        if is_changed or age_s >= MOSQUITTO_RENDER_ANYWAY_S:
            directory = Path(settings.HUB_MOSQUITTO_DIR)
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            mosquitto.render_accounts(directory)
            self._rendered_version, self._rendered_s = version, now_s


def renders_accounts() -> bool:
    """Whether Mosquitto runs beside the hub; as our child it gets its files from who started it."""
    return settings.HUB_BROKER == "mosquitto" and settings.HUB_MQTT_URL is not None


def _remove(rows: "QuerySet[Any]") -> None:
    """Remove rows some hundred at a time, so that no transaction of the registry is long."""
    model: type[Model] = rows.model
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:REMOVED_AT_ONCE]):
        model._default_manager.filter(pk__in=keys).delete()


def _moment(unix_ms: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(unix_ms / 1_000, tz=dt.UTC)


def _with_own_connection(duty: Callable[[], None]) -> None:
    try:
        duty()
    finally:
        connections.close_all()
