"""What the bridge reads and writes of the registry's database, in one thread of its own."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import Error, connection, transaction
from django.db.models import Max

from devices import rejections
from devices.models import BridgeReport, Device, DeviceClock, DeviceState
from devices.rejections import Refused
from hub.bridge.clocks import Skew
from hub.bridge.intake import Refusal
from hub.bridge.presence import Change
from hub.history.store import UNKNOWN_DEVICE

T = TypeVar("T")

RecordsError = Error
"""What a call raises when the database is unreachable, locked or full."""


class Records:
    """Runs functions that use the ORM, one after another, off the loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="registry")

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Call `function(*args)` in the thread; a broken connection is replaced for the next call."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _call, function, args)

    def close(self) -> None:
        self._thread.submit(_close_connection).result()
        self._thread.shutdown()


def _close_connection() -> None:
    """Close the connection of the thread this runs in: `connection` is another in each."""
    connection.close()


def _call(function: Callable[..., T], args: tuple[object, ...]) -> T:
    try:
        return function(*args)
    except Error:
        connection.close()
        raise


def load_states() -> dict[int, str]:
    """The newest state of every device that ever had one, by device key."""
    newest = DeviceState.objects.values("device_id").annotate(newest=Max("pk")).values("newest")
    return dict(DeviceState.objects.filter(pk__in=newest).values_list("device_id", "state"))


def load_clocks() -> dict[int, int]:
    """The clocks that are or were off: `skew_ms` by device key."""
    return dict(DeviceClock.objects.values_list("device_id", "skew_ms"))


def write(refusals: Sequence[Refusal], changes: Sequence[Change], skews: Sequence[Skew] = ()) -> None:
    """Store refusals, transitions and clocks in one transaction."""
    with transaction.atomic():
        keys = {change.device.key for change in changes} | {skew.device for skew in skews}
        alive = set(Device.objects.filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
        if changes:
            DeviceState.objects.bulk_create(_rows(changes, alive))
        if skews:
            DeviceClock.objects.bulk_create(
                [
                    DeviceClock(device_id=key, skew_ms=skew.skew_ms, at_ms=skew.at_ms)
                    for key, skew in {skew.device: skew for skew in skews}.items()
                    if key in alive
                ],
                update_conflicts=True,
                unique_fields=["device"],
                update_fields=["skew_ms", "at_ms"],
            )
        if refusals:
            rejections.record(_refused(refusal) for refusal in refusals)


def _rows(changes: Iterable[Change], alive: set[int]) -> list[DeviceState]:
    return [
        DeviceState(device_id=c.device.key, state=c.state, since_ms=c.since_ms, because=c.because)
        for c in changes
        if c.device.key in alive
    ]


def _refused(refusal: Refusal) -> Refused:
    return Refused(
        None if refusal.device == UNKNOWN_DEVICE else refusal.device,
        refusal.uid,
        refusal.type_slug,
        refusal.fault.reason,
        refusal.fault.metric or "",
        refusal.fault.detail,
        refusal.message.payload,
        refusal.message.arrived_ms,
    )


def write_report(report: dict[str, object]) -> None:
    """Replace the slot's row by this report."""
    BridgeReport.objects.update_or_create(slot=report["slot"], defaults=report)
