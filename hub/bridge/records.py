"""What the bridge reads and writes of the registry's database, in one thread of its own."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import Error, connection, transaction
from django.db.models import Max

from devices import rejections
from devices.models import BridgeReport, Device, DeviceState
from devices.rejections import Refused
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


def write(refusals: Sequence[Refusal], changes: Sequence[Change]) -> None:
    """Store refusals and transitions in one transaction."""
    with transaction.atomic():
        if changes:
            alive = set(
                Device.objects.filter(pk__in={c.device.key for c in changes}).values_list("pk", flat=True)
            )
            DeviceState.objects.bulk_create(_rows(changes, alive))
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
