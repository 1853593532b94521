"""The socket of an MQTT client on the running loop: read in bursts, paused, written in large pieces."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from hub.bridge.wire import BufferedSocket
from hub.limits.bridge import BURST_MAX_PACKETS

logger = logging.getLogger(__name__)


class PacketClient(Protocol):
    """What parses and makes packets; both calls return 0 when all is well."""

    def loop_read(self) -> int: ...
    def loop_write(self) -> int: ...
    def want_write(self) -> bool: ...


class Pump:
    """Moves bytes between a client and its socket. Lives on one loop.

    `is_full` says when nothing more must be read: then the reader is removed until `resume()`, which
    is the only bound there is, because a broker's window is none.
    """

    def __init__(self, is_full: Callable[[], bool]) -> None:
        self._is_full = is_full
        self._client: PacketClient | None = None
        self._sock: BufferedSocket | None = None
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._paused = False
        self._parse_planned = False
        self._write_planned = False

    @property
    def paused(self) -> bool:
        return self._paused

    def resume(self) -> None:
        """Read on after a pause."""
        self._paused = False
        self._start_reading()
        # What was read but not parsed yet will not be announced again.
        self._plan_parsing()

    def forget_pause(self) -> None:
        """The connection ended: the next one begins by reading."""
        self._paused = False

    # --- what the client tells ---------------------------------------------------------

    def opened(self, client: Any, _data: Any, sock: Any) -> None:
        """A socket was connected; this may come from any thread."""
        self._loop.call_soon_threadsafe(self._adopt, client, sock)

    def closed(self, _client: Any, _data: Any, sock: Any) -> None:
        """Before the descriptor closes, so that the loop never watches a stranger's."""
        watched = self._sock
        if watched is not None and watched is sock:
            self._stop_reading()
            self._loop.remove_writer(watched.fileno())
            self._sock = None

    def wants_to_write(self, *_: Any) -> None:
        """Something waits to be sent; this may come from any thread."""
        if not self._write_planned:
            self._write_planned = True
            self._loop.call_soon_threadsafe(self.flush)

    # --- reading -------------------------------------------------------------------------

    def _adopt(self, client: PacketClient, sock: BufferedSocket) -> None:
        self._client = client
        self._sock = sock
        self._paused = False
        self._start_reading()

    def _start_reading(self) -> None:
        sock = self._sock
        if sock is not None and not self._reading:
            self._reading = True
            self._loop.add_reader(sock.fileno(), self._on_readable)

    def _stop_reading(self) -> None:
        if self._sock is not None and self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        """Parse a burst, then let others on the loop have their turn."""
        client = self._client
        if client is None:
            return
        for _ in range(BURST_MAX_PACKETS):
            if not self._reading or client.loop_read() != 0:
                return
            if self._is_full():
                self._paused = True
                self._stop_reading()
                return
            if not self._has_unread():
                return
        self._plan_parsing()

    def _plan_parsing(self) -> None:
        if not self._parse_planned:
            self._parse_planned = True
            self._loop.call_soon(self._parse_on)

    def _parse_on(self) -> None:
        self._parse_planned = False
        self._on_readable()

    def _has_unread(self) -> bool:
        """Whether a packet may be parsed without waiting; a client closes its socket when one is bad."""
        return self._sock is not None and self._sock.has_unread

    # --- writing -------------------------------------------------------------------------

    def flush(self) -> None:
        """Everything that the client wants to send, in as few pieces as the system takes."""
        self._write_planned = False
        client, sock = self._client, self._sock
        if client is None or sock is None:
            return
        client.loop_write()
        if sock is not self._current():
            return
        try:
            sock.flush()
        except OSError as error:
            logger.warning("MQTT connection lost while sending: %s", error)
            # Take what came before; then the client meets the same error and ends the connection.
            while client.loop_read() == 0:
                continue
            return
        if sock.has_unsent or client.want_write():
            self._loop.add_writer(sock.fileno(), self.flush)
        else:
            self._loop.remove_writer(sock.fileno())

    def _current(self) -> BufferedSocket | None:
        """The socket now: a call of the client may have closed the one before."""
        return self._sock
