"""A bridge at work: the parts of one that holds its slot, started, and ended in order."""

import asyncio
import logging
from collections.abc import Iterable

from channels.layers import BaseChannelLayer
from django.conf import settings

from devices.mqtt import BrokerAddress, bridge_account
from hub.bridge.forward import Forwarder
from hub.bridge.inbox import Inbox
from hub.bridge.lease import Lease, LeaseLostError
from hub.bridge.mqtt import Link
from hub.bridge.numbering import Numbering
from hub.bridge.records import Records
from hub.bridge.registry import Registry
from hub.bridge.replay import Replaying
from hub.bridge.reporting import Reporter
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.bridge.worker import Worker
from hub.history.store import HistoryStore
from hub.limits.bridge import BRIDGE_STOP_WITHIN_S
from hub.protocol.frames import source_name
from hub.protocol.topics import BRIDGE_FILTERS, DROPPED_BY_BROKER

logger = logging.getLogger(__name__)


class ActiveBridge:
    """MQTT in; store, frames and acknowledgements out. Made anew whenever a lease was acquired: what
    an earlier one remembers is old, and its source ended with it."""

    def __init__(
        self, slot: str, address: BrokerAddress, store: HistoryStore, layer: BaseChannelLayer, lease: Lease
    ) -> None:
        source = source_name(slot, now_ms())
        inbox = Inbox()
        registry = Registry()
        account = address.username or bridge_account(slot)
        self._lease = lease
        self._records = Records()
        # EMQX tells it over HTTP only.
        extras = () if settings.HUB_BROKER == "emqx" else (DROPPED_BY_BROKER,)
        self._link = Link(address, account, BRIDGE_FILTERS, inbox, lease.renew, extras)
        self._storing = Storing(store, Numbering(source), registry, lease.confirm)
        self._senders = Senders(store, registry, self._storing, self._records)
        self._forwarder = Forwarder(layer)
        replaying = Replaying(store, self._senders, self._storing, self._records)
        self._worker = Worker(
            inbox, self._link, self._senders, self._storing, self._forwarder, self._records, replaying
        )
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
        """Until cancelled: then the step under way is finished, acknowledged, and the link closed.

        LeaseLostError when another bridge took over: then nothing is acknowledged any more.
        """
        background = [
            asyncio.create_task(self._lease.keep(), name="bridge lease"),
            asyncio.create_task(self._forwarder.run(), name="bridge forward"),
            asyncio.create_task(self._reporter.run(self._forwarder, self._records), name="bridge report"),
        ]
        worker = asyncio.create_task(self._work(), name="bridge worker")
        patience_s = BRIDGE_STOP_WITHIN_S
        try:
            await _first_to_end([worker, *background])
        except LeaseLostError:
            patience_s = 0.0
            raise
        finally:
            self._worker.stop()
            # The link stays up meanwhile, so that what is stored is acknowledged too.
            await asyncio.wait([worker], timeout=patience_s)
            await _cancel([worker, *background])
            await asyncio.to_thread(self._records.close)

    async def _work(self) -> None:
        await self._worker.start()
        link = asyncio.create_task(self._link.run(), name="bridge link")
        worker = asyncio.create_task(self._worker.run(), name="bridge steps")
        try:
            await _first_to_end([link, worker])
        finally:
            await _cancel([worker, link])


async def _first_to_end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Until one of the tasks ends; its error is ours."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception) and not isinstance(result, LeaseLostError):
            logger.error("A part of the bridge ended badly: %r", result)
