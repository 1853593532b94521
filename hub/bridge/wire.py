"""A socket that reads and writes in large pieces, for a client that asks for a byte at a time.

# Optimization: paho asks the system 4 to 5 times a packet, and once more for every acknowledgement.
# Here it is once a burst; figures in tests/bench/ingest.py.
"""

import contextlib
import socket
import ssl
from typing import Any, Final

_READ_BYTES: Final = 256 * 1024
_UNSENT_MAX_BYTES: Final = 1024 * 1024
_NOT_NOW: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """Wraps a connected, non-blocking socket (plain or TLS) in the shape that paho expects."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._unread = b""
        self._at = 0
        self._unsent = bytearray()
        self._lost: OSError | None = None

    @property
    def has_unread(self) -> bool:
        """Bytes are here that no event of the system will announce again."""
        return self._at < len(self._unread) or self.pending() > 0

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end; BlockingIOError when there are none yet.

        After a failed `flush` it gives what was read before, then raises that error.
        """
        at = self._at
        if at >= len(self._unread):
            if self._lost is not None:
                raise self._lost
            self._unread = self._sock.recv(_READ_BYTES)
            at = 0
        piece = self._unread[at : at + size]
        self._at = at + len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Keep bytes for `flush`; BlockingIOError when too many already wait."""
        if len(self._unsent) > _UNSENT_MAX_BYTES:
            raise BlockingIOError
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """Hand what waits to the system, as much as it takes now. OSError: the connection is lost."""
        try:
            while self._unsent:
                sent = self._sock.send(self._unsent)
                del self._unsent[:sent]
        except _NOT_NOW:
            return
        except OSError as error:
            self._lost = error
            self._unsent.clear()
            raise

    def pending(self) -> int:
        """Bytes that a TLS layer has decrypted but nobody has read."""
        pending: Any = getattr(self._sock, "pending", None)
        return pending() if pending else 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Send what still waits (a goodbye) if the system takes it at once, then close."""
        with contextlib.suppress(OSError):
            self.flush()
        self._sock.close()
