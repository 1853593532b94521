"""The writing side of one socket: what waits to be said, and the streams that have more to say.

Nothing is pushed into a socket: its one writer takes what is due when it is woken. So a server that
makes a slow socket's sender wait (uvicorn) holds up this socket only, and one that does not
(Daphne) is bounded by the acknowledgements.
"""

import asyncio
import collections
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from dashboard.messages import Close, ServerMessage, encode
from hub.limits.live import WIRE_MAX_WAITING

logger = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Source(Protocol):
    """A stream, as the writer sees it."""

    def take(self, now_s: float) -> str | None:
        """The next text, None when nothing is due."""

    @property
    def due_s(self) -> float:
        """Before this (monotonic clock) nothing is due."""


class Wire:
    """Writes to one socket, in one task: answers first, then the streams in turn.

    A stream has its turn until its window is closed; what is said meanwhile leaves at the next wake-up.
    """

    def __init__(self, send: Send, sources: Callable[[], Sequence[Source]]) -> None:
        self._send = send
        self._sources = sources
        self._waiting: collections.deque[str] = collections.deque()
        self._awake = asyncio.Event()
        self._emptied = asyncio.Event()
        self._code: int | None = None
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_closing(self) -> bool:
        return self._code is not None or self._closed

    def say(self, message: ServerMessage) -> None:
        """Send a message that is no frame, before any frame."""
        if len(self._waiting) >= WIRE_MAX_WAITING:
            self.close(Close.NOT_ACKNOWLEDGING)
        elif not self.is_closing:
            self._waiting.append(encode(message))
            self._awake.set()

    async def say_in_turn(self, message: ServerMessage) -> None:
        """Send a large message once everything before it has left."""
        while self._waiting and not self.is_closing:
            self._emptied.clear()
            await self._emptied.wait()
        self.say(message)

    def wake(self) -> None:
        """There may be something to send."""
        self._awake.set()

    def close(self, code: int) -> None:
        """Say what waits to be said, then close."""
        if not self.is_closing:
            self._code = code
            self._awake.set()

    async def run(self) -> None:
        """Write until the socket is closed from here."""
        try:
            while not self._closed:
                await self._awake.wait()
                self._awake.clear()
                await self._write()
        except OSError:
            # The other end is gone, which the reading side hears too.
            self._closed = True
        except Exception:
            logger.exception("Writing to a socket failed.")
            await self.hang_up(Close.COME_BACK)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _write(self) -> None:
        await self._write_waiting()
        if self._code is not None:
            await self.hang_up(self._code)
            return
        now_s = time.monotonic()
        sources = self._sources()
        for source in sources:
            while (text := source.take(now_s)) is not None:
                await self._send({"type": "websocket.send", "text": text})
        self._wake_later(sources, now_s)

    async def _write_waiting(self) -> None:
        while self._waiting:
            await self._send({"type": "websocket.send", "text": self._waiting.popleft()})
        self._emptied.set()

    async def hang_up(self, code: int) -> None:
        """Close now, whatever waits."""
        if not self._closed:
            self._closed = True
            # autobahn takes an int and no subclass of it.
            await self._send({"type": "websocket.close", "code": int(code)})

    def _wake_later(self, sources: Sequence[Source], now_s: float) -> None:
        later = [source.due_s for source in sources if source.due_s > now_s]
        if later and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(later) - now_s, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._awake.set()
