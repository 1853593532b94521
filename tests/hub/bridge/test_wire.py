"""The buffered socket: large pieces on the wire, and nothing lost or hidden in between."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any, cast

import pytest

from hub.bridge.wire import BufferedSocket


@pytest.fixture
def pair() -> Iterator[tuple[BufferedSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(1)
    wrapped = BufferedSocket(ours)
    yield wrapped, theirs
    wrapped.close()
    theirs.close()


def test_what_was_read_in_one_piece_is_given_in_small_ones(pair: tuple[BufferedSocket, socket.socket]):
    ours, theirs = pair
    theirs.sendall(b"abcdef")
    pieces = [(ours.recv(size), ours.has_unread) for size in (1, 3, 100)]
    assert pieces == [(b"a", True), (b"bcd", True), (b"ef", False)]
    with pytest.raises(BlockingIOError):
        ours.recv(1)


def test_the_end_comes_after_what_was_read(pair: tuple[BufferedSocket, socket.socket]):
    ours, theirs = pair
    theirs.sendall(b"ab")
    theirs.close()
    assert [ours.recv(1), ours.recv(1), ours.recv(1)] == [b"a", b"b", b""]


def test_what_is_sent_waits_for_the_flush(pair: tuple[BufferedSocket, socket.socket]):
    ours, theirs = pair
    assert ours.send(b"ab") == 2
    ours.send(bytearray(b"cd"))
    assert ours.has_unsent
    ours.flush()
    assert theirs.recv(100) == b"abcd"
    assert not ours.has_unsent


def test_more_than_the_system_takes_is_kept_and_sent_later(pair: tuple[BufferedSocket, socket.socket]):
    ours, theirs = pair
    data = bytes(range(256)) * 4_000
    ours.send(data)
    got = bytearray()
    while len(got) < len(data):
        ours.flush()
        got += theirs.recv(1_000_000)
    assert bytes(got) == data
    assert not ours.has_unsent


def test_what_waits_is_bounded(pair: tuple[BufferedSocket, socket.socket]):
    ours, _ = pair
    ours.send(b"x" * 1_100_000)
    with pytest.raises(BlockingIOError):
        ours.send(b"x")


def test_a_lost_connection_gives_what_came_before_and_then_its_error(
    pair: tuple[BufferedSocket, socket.socket],
):
    ours, theirs = pair
    theirs.sendall(b"abc")
    assert ours.recv(1) == b"a"
    theirs.close()
    ours.send(b"x")
    with pytest.raises(OSError, match="Broken pipe"):
        ours.flush()
    assert not ours.has_unsent
    assert ours.recv(10) == b"bc"
    with pytest.raises(OSError, match="Broken pipe"):
        ours.recv(1)


def test_closing_sends_a_goodbye_that_still_waits(pair: tuple[BufferedSocket, socket.socket]):
    ours, theirs = pair
    ours.send(b"bye")
    ours.close()
    assert theirs.recv(10) == b"bye"
    assert ours.fileno() == -1


class BusyTls:
    """A TLS socket that takes nothing now, as OpenSSL says it."""

    def __init__(self, busy: Exception) -> None:
        self.busy: Exception | None = busy
        self.sent = b""

    def send(self, data: bytes) -> int:
        if self.busy is not None:
            raise self.busy
        self.sent += data
        return len(data)

    def pending(self) -> int:
        return 7


@pytest.mark.parametrize("busy", [ssl.SSLWantWriteError(), ssl.SSLWantReadError(), BlockingIOError()])
def test_a_tls_layer_that_is_busy_is_not_a_lost_connection(busy: Exception):
    tls = BusyTls(busy)
    sock = BufferedSocket(cast("Any", tls))
    sock.send(b"abc")
    sock.flush()
    assert sock.has_unsent
    assert sock.has_unread, "what TLS has decrypted is announced by nobody"
    tls.busy = None
    sock.flush()
    assert (tls.sent, sock.has_unsent) == (b"abc", False)
