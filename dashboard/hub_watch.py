"""One a process: listens to the bridges and reads their rows, for heartbeats and summaries."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from django.db import Error as DatabaseError

from dashboard.clock import now_ms
from dashboard.hub_view import HubView, Report, report_of
from dashboard.listening import GroupListener
from dashboard.messages import BridgeHealth, TypeCounts
from dashboard.snapshot import read_counts, read_slugs
from dashboard.threads import in_thread
from devices.models import BridgeReport
from hub.limits.live import SUMMARY_REFRESH_S
from hub.protocol.frames import HUB_GROUP

logger = logging.getLogger(__name__)

_NO_COUNTS = TypeCounts()


class HubWatch:
    """What is known of bridges and of device types right now."""

    def __init__(self, layer: Any, refresh_s: float = SUMMARY_REFRESH_S) -> None:
        self.slugs: frozenset[str] = frozenset()
        self._view = HubView(now_ms())
        self._refresh_s = refresh_s
        self._listener = GroupListener(layer, HUB_GROUP, self._hear, self._joined)
        self._counted: dict[str, TypeCounts] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._listener.start()
        self._task = asyncio.create_task(self._run(), name="hub watch")

    async def stop(self) -> None:
        await self._listener.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def layer_is_up(self) -> bool:
        return self._listener.is_joined and self._view.layer_is_up(now_ms())

    def bridges(self) -> list[BridgeHealth]:
        return self._view.bridges(now_ms())

    def counts(self) -> dict[str, TypeCounts]:
        """Counts of every device type: its bridge's, or without one what the database says."""
        reported = self._view.counts(now_ms())
        return {slug: reported.get(slug) or self._counted.get(slug, _NO_COUNTS) for slug in self.slugs}

    def _hear(self, event: Mapping[str, object]) -> None:
        try:
            self._view.hear(report_of(event), now_ms())
        except msgspec.ValidationError as error:
            logger.warning("The group %s got what is no report of a bridge: %s", HUB_GROUP, error)

    def _joined(self) -> None:
        self._view.joined(now_ms())

    async def _run(self) -> None:
        database_is_away = False
        while True:
            try:
                await self.refresh()
                database_is_away = False
            except DatabaseError as error:
                if not database_is_away:
                    logger.warning("The rows of bridges cannot be read: %s", error)
                database_is_away = True
            except Exception:
                logger.exception("The watch over the bridges failed; it goes on in a moment.")
            await asyncio.sleep(self._refresh_s)

    async def refresh(self) -> None:
        """Read the rows now."""
        reports = await in_thread(_read_reports)
        self._view.read(reports)
        self.slugs, self._counted = await in_thread(_read_types, frozenset(self._view.counts(now_ms())))


def _read_reports() -> list[Report]:
    return [report_of(row) for row in BridgeReport.objects.values(*Report.__struct_fields__)]


def _read_types(reported: frozenset[str]) -> tuple[frozenset[str], dict[str, TypeCounts]]:
    slugs = read_slugs()
    unreported = slugs - reported
    return slugs, read_counts(unreported) if unreported else {}
