"""Frames and reports into the groups of the channel layer, in order, and never in the way.

A frozen layer holds a send for its time-out; so forwarding is a task of its own with a bounded
queue that drops its oldest. The group is a nudge, at most once: relays repair from the frame log.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from channels.layers import BaseChannelLayer
from redis.exceptions import RedisError

from hub.limits.bridge import FORWARD_QUEUE_FRAMES, FORWARD_TIMEOUT_S
from hub.protocol.frames import HUB_GROUP, Frame, frame_event, group_name

logger = logging.getLogger(__name__)

_COMPLAIN_EVERY_S = 30.0


class Forwarder:
    """Sends frames to `type.<slug>` and reports to `hub`. `run()` until cancelled.

    `num_dropped` counts frames that never reached the layer.
    """

    def __init__(self, layer: BaseChannelLayer, capacity: int = FORWARD_QUEUE_FRAMES) -> None:
        self._layer = layer
        self._queue: deque[tuple[str, Mapping[str, object]]] = deque(maxlen=capacity)
        self._wake = asyncio.Event()
        self._complained_s = 0.0
        self.num_dropped = 0

    def frames(self, frames: Iterable[Frame]) -> None:
        """Queue frames that are stored."""
        for frame in frames:
            self._put(group_name(frame.device_type), frame_event(frame))

    def report(self, event: Mapping[str, object]) -> None:
        """Queue a report of the bridge."""
        self._put(HUB_GROUP, event)

    def _put(self, group: str, event: Mapping[str, object]) -> None:
        if len(self._queue) == self._queue.maxlen:
            self.num_dropped += 1
        self._queue.append((group, event))
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                group, event = self._queue.popleft()
                await self._send(group, dict(event))

    async def _send(self, group: str, event: dict[str, Any]) -> None:
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that meets the end of the send.
            async with asyncio.timeout(FORWARD_TIMEOUT_S):
                await self._layer.group_send(group, event)
        except (OSError, TimeoutError, RedisError) as error:
            self.num_dropped += 1
            if time.monotonic() - self._complained_s > _COMPLAIN_EVERY_S:
                self._complained_s = time.monotonic()
                logger.warning(
                    "The channel layer takes no frames (%s); pages update once a second from the frame log.",
                    str(error) or type(error).__name__,
                )
