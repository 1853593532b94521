"""What a bridge says of itself: every second to the group `hub`, every two seconds in its row."""

import asyncio
import logging
from typing import Any

from hub.bridge import records
from hub.bridge.forward import Forwarder
from hub.bridge.lease import LeaseLostError
from hub.bridge.mqtt import Link
from hub.bridge.records import Records, RecordsError
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.bridge.worker import Worker
from hub.limits.bridge import BRIDGE_REPORT_EVERY_S, BRIDGE_ROW_EVERY_S
from hub.protocol.frames import BRIDGE_EVENT

logger = logging.getLogger(__name__)


class Reporter:
    """Reports until cancelled. A row that cannot be written is tried again with the next."""

    def __init__(
        self, slot: str, source: str, link: Link, storing: Storing, worker: Worker, senders: Senders
    ) -> None:
        self._slot = slot
        self._source = source
        self._link = link
        self._storing = storing
        self._worker = worker
        self._senders = senders

    async def run(self, forwarder: Forwarder, records_: Records) -> None:
        every_nth = round(BRIDGE_ROW_EVERY_S / BRIDGE_REPORT_EVERY_S)
        row: asyncio.Task[None] | None = None
        num_reports = 0
        while True:
            report = self.report()
            forwarder.report({"type": BRIDGE_EVENT, **report})
            if num_reports % every_nth == 0 and (row is None or row.done()):
                row = asyncio.create_task(self._write(records_, report), name="bridge row")
            num_reports += 1
            await asyncio.sleep(BRIDGE_REPORT_EVERY_S)

    def report(self) -> dict[str, Any]:
        """The bridge as it is now; times in Unix milliseconds, `types` by slug."""
        rates = self._worker.rates.per_s()
        counts = self._senders.presence.counts(self._senders.registry)
        return {
            "slot": self._slot,
            "source": self._source,
            "at_ms": now_ms(),
            "receiving": self._link.receiving,
            "receiving_since_ms": self._link.changed_ms,
            "storing": self._storing.storing,
            "storing_since_ms": self._storing.storing_since_ms,
            "lag_ms": self._worker.lag_ms(),
            "dropped_by_broker": self._worker.dropped_by_broker,
            "types": {
                slug: {
                    "readings_per_s": round(rates.get(slug, 0.0), 2),
                    "online": count["online"],
                    "silent": count["silent"],
                    "offline": count["offline"],
                    "never": count["never"],
                }
                for slug, count in counts.items()
            },
        }

    async def _write(self, records_: Records, report: dict[str, Any]) -> None:
        try:
            # One that was frozen finds out first whether it still speaks for its slot.
            await self._storing.confirm()
            await records_.run(records.write_report, report)
        except LeaseLostError:
            return
        except RecordsError as error:
            logger.debug("the bridge's row was not written: %s", error)
