"""Everything live of one process: relays, the watch over the bridges, sockets, and the clock.

It starts with the first socket, because Daphne has no lifespan, and belongs to one event loop.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from dashboard.hub_watch import HubWatch
from dashboard.identity import Identity, Rights, rights_of
from dashboard.messages import BridgeHealth, Close
from dashboard.relay import Relays
from dashboard.streams import SummaryStream
from dashboard.threads import in_thread
from dashboard.wire import Wire
from hub.history.opening import get_history
from hub.history.store import HistoryStore
from hub.limits.live import GOODBYE_S, LIVE_TICK_S, RIGHTS_CHECK_EVERY_S

logger = logging.getLogger(__name__)


class Socket(Protocol):
    """What the clock does to a socket."""

    wire: Wire
    identity: Identity | None
    visible: frozenset[str]
    rights_due_s: float

    @property
    def summaries(self) -> list[SummaryStream]: ...
    def tick(self, now_s: float, layer_is_up: bool, bridges: list[BridgeHealth]) -> None: ...
    def apply(self, rights: Rights | None) -> None: ...


class Live:
    """The live side of one process and loop."""

    def __init__(self, layer: Any, history: Callable[[], HistoryStore], tick_s: float = LIVE_TICK_S) -> None:
        self.history = history
        self.watch = HubWatch(layer)
        self.relays = Relays(history, layer, self.watch.layer_is_up)
        self.sockets: set[Socket] = set()
        self._layer = layer
        self._tick_s = tick_s
        self._known_slugs: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def join(self, socket: Socket) -> None:
        """A socket opened; the first one starts everything."""
        self.sockets.add(socket)
        if self._task is None:
            self.watch.start()
            self._task = asyncio.create_task(self._run(), name="live clock")
            _say_goodbye_with_twisted(self)

    def leave(self, socket: Socket) -> None:
        self.sockets.discard(socket)

    async def stop(self) -> None:
        """Close every socket with "come back", and end everything that was started."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        for socket in self.sockets:
            socket.wire.close(Close.COME_BACK)
        await asyncio.sleep(GOODBYE_S)
        await asyncio.wait([task])
        await self.relays.stop()
        await self.watch.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._tick(time.monotonic())
            except DatabaseError as error:
                logger.warning("The rights of sockets cannot be looked at: %s", error)
            except Exception:
                logger.exception("The clock of the live sockets failed; it goes on.")
            await asyncio.sleep(self._tick_s)

    async def _tick(self, now_s: float) -> None:
        layer_is_up, bridges, counts = self.watch.layer_is_up(), self.watch.bridges(), self.watch.counts()
        types_changed = self.watch.slugs != self._known_slugs
        self._known_slugs = self.watch.slugs
        for socket in list(self.sockets):
            socket.tick(now_s, layer_is_up, bridges)
            for summary in socket.summaries:
                summary.tell(counts, socket.visible)
                if types_changed:
                    socket.rights_due_s = now_s
        await self._look_at_rights(now_s)
        await self.relays.sweep(now_s)

    async def _look_at_rights(self, now_s: float) -> None:
        due = [each for each in self.sockets if each.rights_due_s <= now_s and each.identity is not None]
        if not due:
            return
        for socket in due:
            socket.rights_due_s = now_s + RIGHTS_CHECK_EVERY_S
        found = await in_thread(_rights_of_all, {each.identity for each in due if each.identity})
        for socket in due:
            if socket.identity is not None:
                socket.apply(found[socket.identity])


def _rights_of_all(identities: set[Identity]) -> dict[Identity, Rights | None]:
    return {identity: rights_of(identity) for identity in identities}


_lives: dict[asyncio.AbstractEventLoop, Live] = {}


def get_live() -> Live:
    """The live side of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _lives:
        for ended in [each for each in _lives if each.is_closed()]:
            del _lives[ended]
        _lives[loop] = Live(get_channel_layer(), get_history)
    return _lives[loop]


async def shutdown() -> None:
    """End the live side of the running loop: sockets get 4012. It takes about 0.1 s."""
    live = _lives.pop(asyncio.get_running_loop(), None)
    if live is not None:
        await live.stop()


def _say_goodbye_with_twisted(live: Live) -> None:
    """Under Daphne, end with its reactor: it cancels its own applications only, and has no lifespan."""
    reactor = sys.modules.get("twisted.internet.reactor")
    defer = sys.modules.get("twisted.internet.defer")
    if reactor is None or defer is None or not getattr(reactor, "running", False):
        return

    async def end() -> None:
        try:
            await shutdown()
        except Exception:
            logger.exception("The live side did not end cleanly.")

    def begin() -> Any:
        return defer.Deferred.fromFuture(asyncio.ensure_future(end()))

    reactor.addSystemEventTrigger("before", "shutdown", begin)
