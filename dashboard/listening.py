"""One channel of the channel layer in one group, for as long as the process wants it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from hub.limits.live import LAYER_LEAVE_TIMEOUT_S, LAYER_RETRY_S

logger = logging.getLogger(__name__)


class GroupListener:
    """Hears what is sent to a group, and joins again after the layer was away.

    `hear` gets each event; `joined` is called after each time the group was joined: whatever was
    sent before that may be missing.
    """

    def __init__(
        self,
        layer: Any,
        group: str,
        hear: Callable[[Mapping[str, object]], None],
        joined: Callable[[], None],
    ) -> None:
        self._layer = layer
        self._group = group
        self._hear = hear
        self._joined = joined
        self._channel: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_told = False
        self.is_joined = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"listen to {self._group}")

    async def stop(self) -> None:
        """Leave the group. A layer that is away is not waited for."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(LAYER_LEAVE_TIMEOUT_S):
                if self._channel is not None and self.is_joined:
                    await self._layer.group_discard(self._group, self._channel)
        except Exception as error:  # noqa: BLE001 - a layer raises whatever its client library raises
            logger.debug("Leaving the group %s failed: %r", self._group, error)
        self._task.cancel()
        await asyncio.wait([self._task], timeout=LAYER_LEAVE_TIMEOUT_S)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - as above
                self._tell_once(error)
                self.is_joined = False
                await asyncio.sleep(LAYER_RETRY_S)

    async def _listen(self) -> None:
        # The channel is kept when joining fails: the layer would go on filling the one left behind.
        if self._channel is None:
            self._channel = await self._layer.new_channel()
        await self._layer.group_add(self._group, self._channel)
        self.is_joined = True
        self._is_told = False
        self._joined()
        while True:
            # Never with a time-out: to cancel `receive` is to unsubscribe the channel.
            self._hear(await self._layer.receive(self._channel))

    def _tell_once(self, error: Exception) -> None:
        if not self._is_told:
            logger.warning("The channel layer is down, for the group %s: %r", self._group, error)
        self._is_told = True
