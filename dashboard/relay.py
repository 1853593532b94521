"""Relays: one a process and device type, between the channel layer and the sockets (design 3.7).

The group is a nudge and the frame log the truth. A relay puts the frames of a type into its ring in
order, each once: a hole, a lost tail or a layer that is away is repaired from the log.
"""

import asyncio
import collections
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dashboard.clock import now_ms
from dashboard.listening import GroupListener
from dashboard.positions import Positions
from dashboard.ring import Entry, Ring
from hub.history.store import Head, HistoryStore, StoreError
from hub.limits.live import (
    RELAY_HEADS_EVERY_S,
    RELAY_HEADS_EVERY_WITHOUT_LAYER_S,
    RELAY_INBOX_FRAMES,
    RELAY_LINGER_S,
    RELAY_LOG_PAGE_FRAMES,
    RELAY_SOCKETS_PER_TURN,
)
from hub.protocol.frames import Frame, frame_of_event, group_name

logger = logging.getLogger(__name__)

Wake = Callable[[], None]


class Relay:
    """The frames of one device type, in order, for every socket of this process that wants them."""

    def __init__(
        self,
        device_type: str,
        history: HistoryStore,
        layer: Any,
        layer_is_up: Callable[[], bool],
        ring: Ring | None = None,
    ) -> None:
        self.device_type = device_type
        self.ring = ring or Ring("")
        self.lost = 0
        self.idle_since_s = time.monotonic()
        self._history = history
        self._layer_is_up = layer_is_up
        self._positions = Positions(device_type)
        self._inbox: collections.deque[Frame] = collections.deque(maxlen=RELAY_INBOX_FRAMES)
        self._wakes: dict[object, Wake] = {}
        self._listener = GroupListener(layer, group_name(device_type), self._hear, self._look_soon)
        self._awake = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looked_s = -math.inf
        self._log_is_away = False

    def start(self) -> None:
        self._listener.start()
        self._task = asyncio.create_task(self._run(), name=f"relay {self.device_type}")

    async def stop(self) -> None:
        await self._listener.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def ready(self) -> None:
        """Wait until the relay knows where it stands."""
        await self._ready.wait()

    def attach(self, who: object, wake: Wake) -> None:
        """Call `wake` whenever the ring has grown."""
        self._wakes[who] = wake

    def detach(self, who: object) -> None:
        self._wakes.pop(who, None)
        self.idle_since_s = time.monotonic()

    @property
    def is_idle(self) -> bool:
        return not self._wakes

    @property
    def positions(self) -> dict[str, int]:
        return self._positions.as_dict()

    # --- what comes in ---------------------------------------------------------------

    def _hear(self, event: Mapping[str, object]) -> None:
        try:
            frame = frame_of_event(event)
        except msgspec.ValidationError as error:
            logger.warning("The group of %s got what is no frame: %s", self.device_type, error)
            return
        # When it is full the oldest goes: that is a hole, and the log fills it.
        self._inbox.append(frame)
        self._awake.set()

    def _look_soon(self) -> None:
        self._looked_s = -math.inf
        self._awake.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._find_position()
                while True:
                    await self._step()
            except StoreError as error:
                self._tell_once(error)
            except Exception:
                logger.exception("The relay of %s failed; it goes on in a moment.", self.device_type)
            await asyncio.sleep(RELAY_HEADS_EVERY_WITHOUT_LAYER_S)

    async def _find_position(self) -> None:
        if self._ready.is_set():
            return
        self._positions.start_at(await asyncio.to_thread(self._history.heads, self.device_type))
        self.ring.cursor = self.ring.start_cursor = self._positions.cursor(now_ms())
        self._looked_s = time.monotonic()
        self._ready.set()

    async def _step(self) -> None:
        """Wait for frames or for the next look into the log; take them in; tell the sockets."""
        try:
            async with asyncio.timeout(RELAY_HEADS_EVERY_WITHOUT_LAYER_S):
                await self._awake.wait()
        except TimeoutError:
            pass
        self._awake.clear()
        end = self.ring.end
        try:
            await self._take_in()
            await self._look()
        finally:
            if self.ring.end > end:
                await self._wake_sockets()

    async def _take_in(self) -> None:
        while self._inbox:
            frame = self._inbox.popleft()
            if self._positions.judge(frame) == "hole":
                await self.catch_up()
            if self._positions.judge(frame) != "old":
                self._append(frame)

    async def _look(self) -> None:
        """Compare with the log every 5 s, every second while the layer is down: a tail may be lost."""
        up = self._listener.is_joined and self._layer_is_up()
        every_s = RELAY_HEADS_EVERY_S if up else RELAY_HEADS_EVERY_WITHOUT_LAYER_S
        # A little early, or a wake-up every second would look every other second.
        if time.monotonic() - self._looked_s < every_s - 0.05:
            return
        self._looked_s = time.monotonic()
        heads = await self.heads()
        if self._positions.are_behind(heads):
            await self.catch_up()

    async def heads(self) -> dict[str, Head]:
        heads = await asyncio.to_thread(self._history.heads, self.device_type)
        self._log_is_away = False
        return heads

    async def catch_up(self) -> None:
        """Take in whatever the frame log holds beyond the positions, in order."""
        while True:
            page = await self.log_page(self._positions.as_dict())
            for frame in page:
                if self._positions.judge(frame) != "old":
                    self._append(frame)
            if len(page) < RELAY_LOG_PAGE_FRAMES:
                return
            await self._wake_sockets()

    async def log_page(self, after: Mapping[str, int]) -> list[Frame]:
        """A page of the frame log beyond `after`; a shorter one is the last."""
        return await asyncio.to_thread(
            self._history.frames_page, self.device_type, after, RELAY_LOG_PAGE_FRAMES
        )

    # --- what goes out ---------------------------------------------------------------

    def _append(self, frame: Frame) -> None:
        missing = self._positions.advance(frame)
        if missing:
            self.lost += missing
            logger.warning("%d entries of %s are gone from the frame log.", missing, frame.source)
        self.ring.append(Entry(frame, self._positions.cursor(frame.at_ms), time.monotonic()))

    async def _wake_sockets(self) -> None:
        for number, wake in enumerate(list(self._wakes.values()), start=1):
            wake()
            # What was written leaves only when the loop turns; and others want to be served too.
            if number % RELAY_SOCKETS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _tell_once(self, error: StoreError) -> None:
        if not self._log_is_away:
            logger.warning("The relay of %s cannot read the frame log: %s", self.device_type, error)
        self._log_is_away = True
        self._looked_s = -math.inf


class Relays:
    """The relays of this process, started when somebody wants one and stopped after a linger."""

    def __init__(
        self,
        history: Callable[[], HistoryStore],
        layer: Any,
        layer_is_up: Callable[[], bool],
        linger_s: float = RELAY_LINGER_S,
    ) -> None:
        self._history = history
        self._layer = layer
        self._layer_is_up = layer_is_up
        self._linger_s = linger_s
        self._relays: dict[str, Relay] = {}

    async def get(self, device_type: str) -> Relay:
        """The relay of a type that exists, ready."""
        history = await asyncio.to_thread(self._history)
        relay = self._relays.get(device_type)
        if relay is None:
            relay = Relay(device_type, history, self._layer, self._layer_is_up)
            self._relays[device_type] = relay
            relay.start()
        relay.idle_since_s = time.monotonic()
        await relay.ready()
        return relay

    async def sweep(self, now_s: float) -> None:
        """Stop relays that nobody has watched for the linger."""
        for device_type, relay in list(self._relays.items()):
            if relay.is_idle and now_s - relay.idle_since_s >= self._linger_s:
                del self._relays[device_type]
                await relay.stop()

    async def stop(self) -> None:
        """Stop all of them."""
        relays, self._relays = self._relays, {}
        await asyncio.gather(*(relay.stop() for relay in relays.values()))
