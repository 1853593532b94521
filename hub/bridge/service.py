"""A bridge: its parts put together, started, and ended in order."""

import asyncio
import logging

from channels.layers import BaseChannelLayer

from devices.mqtt import BrokerAddress, bridge_account
from hub.bridge.forward import Forwarder
from hub.bridge.inbox import Inbox
from hub.bridge.mqtt import Link
from hub.bridge.numbering import Numbering
from hub.bridge.records import Records
from hub.bridge.registry import Registry
from hub.bridge.reporting import Reporter
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.bridge.worker import Worker
from hub.history.store import HistoryStore
from hub.limits.bridge import BRIDGE_STOP_WITHIN_S
from hub.protocol.frames import source_name
from hub.protocol.topics import BRIDGE_FILTERS

logger = logging.getLogger(__name__)


class Bridge:
    """MQTT in; store, frames and acknowledgements out. `run()` until cancelled or a part fails."""

    def __init__(
        self, slot: str, address: BrokerAddress, store: HistoryStore, layer: BaseChannelLayer
    ) -> None:
        source = source_name(slot, now_ms())
        inbox = Inbox()
        registry = Registry()
        self._records = Records()
        self._link = Link(address, address.username or bridge_account(slot), BRIDGE_FILTERS, inbox)
        self._storing = Storing(store, Numbering(source), registry)
        self._senders = Senders(store, registry, self._storing, self._records)
        self._forwarder = Forwarder(layer)
        self._worker = Worker(inbox, self._link, self._senders, self._storing, self._forwarder, self._records)
        self._reporter = Reporter(slot, source, self._link, self._storing, self._worker, self._senders)

    def not_ready(self) -> list[str]:
        """Why it does not do its work now; nothing when it does. From any thread."""
        reasons = []
        if not self._link.receiving:
            reasons.append("Not connected to the MQTT broker: nothing is received.")
        if not self._storing.storing:
            reasons.append("The database does not take what was received; it will be tried again.")
        return reasons

    async def run(self) -> None:
        """Until cancelled: then the step under way is finished, acknowledged, and the link closed."""
        background = [
            asyncio.create_task(self._forwarder.run(), name="bridge forward"),
            asyncio.create_task(self._reporter.run(self._forwarder, self._records), name="bridge report"),
        ]
        worker = asyncio.create_task(self._work(), name="bridge worker")
        try:
            await self._first_to_end([worker, *background])
        finally:
            self._worker.stop()
            # The link stays up meanwhile, so that what is stored is acknowledged too.
            await asyncio.wait([worker], timeout=BRIDGE_STOP_WITHIN_S)
            await _cancel([worker, *background])
            self._records.close()

    async def _work(self) -> None:
        await self._worker.start()
        link = asyncio.create_task(self._link.run(), name="bridge link")
        worker = asyncio.create_task(self._worker.run(), name="bridge steps")
        try:
            await self._first_to_end([link, worker])
        finally:
            await _cancel([worker, link])

    @staticmethod
    async def _first_to_end(tasks: list[asyncio.Task[None]]) -> None:
        """Until one of the tasks ends; its error is ours."""
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            logger.error("A part of the bridge ended badly: %r", result)
