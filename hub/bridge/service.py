"""A bridge: waits for its slot, works while it holds it, and waits again when it lost it."""

import logging

from channels.layers import BaseChannelLayer

from devices.mqtt import BrokerAddress
from hub.bridge.active import ActiveBridge
from hub.bridge.lease import Lease, LeaseLostError
from hub.history.store import HistoryStore

logger = logging.getLogger(__name__)


class Bridge:
    """The bridge of a slot, or its standby. `run()` until cancelled or a part fails."""

    def __init__(
        self, slot: str, address: BrokerAddress, store: HistoryStore, layer: BaseChannelLayer
    ) -> None:
        self._slot = slot
        self._address = address
        self._store = store
        self._layer = layer
        self._lease = Lease(slot)
        self._active: ActiveBridge | None = None

    @property
    def role(self) -> str:
        """`active`, or `standby` while another bridge holds the slot. From any thread."""
        return "standby" if self._active is None else "active"

    def not_ready(self) -> list[str]:
        """Why it does not do its work now; nothing when it does. From any thread.

        To wait for a slot that another bridge holds is the work of a standby.
        """
        active = self._active
        reasons = [] if active is None else active.not_ready()
        if not self._lease.database_answers:
            reasons.append("The database does not say who holds the slot; it will be asked again.")
        return reasons

    async def run(self) -> None:
        """Until cancelled; then the slot is given back once the last message is dealt with."""
        try:
            while True:
                await self._lease.acquire()
                try:
                    await self._work()
                except LeaseLostError as lost:
                    logger.warning("%s This one acknowledges nothing more and waits.", lost)
        finally:
            await self._lease.close()

    async def _work(self) -> None:
        self._active = ActiveBridge(self._slot, self._address, self._store, self._layer, self._lease)
        try:
            await self._active.run()
        finally:
            self._active = None
