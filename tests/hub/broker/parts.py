"""A broker on a loop of its own, a registry in memory, and MQTT clients of paho or by hand."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from devices.credentials import hash_token
from hub.broker.accounts import Account, Accounts, Registry, Token
from hub.broker.embedded import EmbeddedBroker
from hub.broker.serving import listen
from tests.parts.hub_process import wait_until

BRIDGE_PASSWORD = "the bridge's own"
WITHIN_S = 10.0


class Book:
    """A registry that is a dictionary. `d1` and `d2` are there, with the tokens `token-d1`, `token-d2`."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.version = 0
        self.closed = False
        for uid in ("d1", "d2"):
            self.put(uid, f"token-{uid}")

    def put(self, uid: str, token: str, *, enabled: bool = True, expires_at: float | None = None) -> None:
        self.accounts[uid] = Account(enabled, (Token(hash_token(token), expires_at),))
        self.version += 1

    def disable(self, uid: str) -> None:
        self.accounts[uid] = self.accounts[uid]._replace(enabled=False)
        self.version += 1

    def delete(self, uid: str) -> None:
        del self.accounts[uid]
        self.version += 1

    def registry(self) -> Registry:
        return Registry(lambda: self.version, lambda: dict(self.accounts), self.accounts.get, self._close)

    def _close(self) -> None:
        self.closed = True


class RunningBroker:
    """The embedded broker in a thread. `restart()` is an orderly one, and keeps the port."""

    def __init__(self, book: Book, folder: Path) -> None:
        self.port = 0
        self.state_file = folder / "broker.state"
        self.broker: EmbeddedBroker
        self._book = book
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread()

    def start(self) -> None:
        listening = listen("127.0.0.1", self.port)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening, ready)))
        self._thread.start()
        assert ready.wait(WITHIN_S), "the broker did not start"

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(WITHIN_S)

    def restart(self) -> None:
        self.stop()
        self.start()

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        accounts = Accounts(self._book.registry(), BRIDGE_PASSWORD)
        self.broker = EmbeddedBroker(listening, accounts, self.state_file)
        await self.broker.start()
        ready.set()
        await self._end.wait()
        await self.broker.shutdown()
        await accounts.close()


class Got(NamedTuple):
    topic: str
    text: str
    dup: bool
    mid: int
    retain: bool


@dataclass
class Client:
    """A paho client in a thread. `code` is the CONNACK's; `got` is what arrived, in order."""

    port: int
    username: str
    password: str | None = None
    client_id: str = ""
    clean: bool = True
    keepalive: int = 60
    manual_ack: bool = False
    will: tuple[str, str] | None = None
    code: int | None = None
    session_present: bool = False
    lost: bool = False
    got: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client_id = self.client_id or f"client-of-{self.username}"
        self.password = self.password or (
            BRIDGE_PASSWORD if "." in self.username else f"token-{self.username}"
        )
        self._granted: dict[int, list[int]] = {}
        self._paho: paho.Client | None = None

    def connect(self) -> "Client":
        """Sign in, with a connection that is new; `code` says what came of it."""
        self.stop()
        self.code, self.lost = None, False
        self._paho = self._new()
        self._paho.connect("127.0.0.1", self.port, self.keepalive)
        self._paho.loop_start()
        wait_until(lambda: self.code is not None, WITHIN_S, what=f"the CONNACK for {self.username}")
        return self

    def _new(self) -> paho.Client:
        one = paho.Client(
            CallbackAPIVersion.VERSION2,
            self.client_id,
            clean_session=self.clean,
            reconnect_on_failure=False,
            manual_ack=self.manual_ack,
        )
        one.username_pw_set(self.username, self.password)
        if self.will:
            one.will_set(*self.will, qos=1, retain=True)
        one.on_connect = self._on_connect
        one.on_disconnect = self._on_disconnect
        one.on_message = self._on_message
        one.on_subscribe = self._on_subscribe
        return one

    @property
    def _connected(self) -> paho.Client:
        assert self._paho is not None, "connect() comes first"
        return self._paho

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """What was granted: a QoS, or 128."""
        _, mid = self._connected.subscribe([(topic_filter, qos) for topic_filter in filters])
        assert mid is not None
        wait_until(lambda: mid in self._granted, WITHIN_S, what="the SUBACK")
        return self._granted[mid]

    def unsubscribe(self, topic_filter: str) -> None:
        self._connected.unsubscribe(topic_filter)

    def publish(self, topic: str, text: str | bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when it is acknowledged."""
        self._connected.publish(topic, text, qos, retain).wait_for_publish(WITHIN_S)

    def acknowledge(self, got: Got) -> None:
        assert self._connected.ack(got.mid, 1) == MQTTErrorCode.MQTT_ERR_SUCCESS

    def texts(self) -> list[str]:
        return [got.text for got in self.got]

    def wait_for(self, number: int) -> list[Got]:
        wait_until(lambda: len(self.got) >= number, WITHIN_S, what=f"message {number} for {self.username}")
        return self.got

    def vanish(self) -> None:
        """The connection ends without a DISCONNECT."""
        sock = self._connected.socket()
        assert isinstance(sock, socket.socket)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        self.stop(polite=False)

    def stop(self, *, polite: bool = True) -> None:
        if self._paho is None:
            return
        if polite:
            self._paho.disconnect()
        self._paho.loop_stop()
        self._paho = None

    def _on_connect(self, _c: Any, _u: Any, flags: Any, code: Any, _p: Any) -> None:
        self.session_present = flags.session_present
        self.code = code.value

    def _on_disconnect(self, *_: Any) -> None:
        self.lost = True

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        text = message.payload.decode()
        self.got.append(Got(message.topic, text, bool(message.dup), message.mid, bool(message.retain)))

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, codes: Any, _p: Any) -> None:
        self._granted[mid] = [code.value for code in codes]


class RawClient:
    """Bytes on a socket, for what no decent client does."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self, number: int) -> bytes:
        """That many bytes, or fewer at the end of the connection."""
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while len(received) < number and (some := self._socket.recv(number - len(received))):
                received += some
        return received

    def is_cut_off(self) -> bool:
        """Waits for the end of the connection; what still came is thrown away."""
        with contextlib.suppress(ConnectionResetError):
            while self._socket.recv(65_536):
                pass
        return True

    def sign_in(self, username: str, *, keepalive: int = 0, will: tuple[str, str] | None = None) -> None:
        self.send(connect_packet(username, f"token-{username}", keepalive=keepalive, will=will))
        assert self.receive(4) == b"\x20\x02\x00\x00"

    def close(self) -> None:
        self._socket.close()


def string(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def packet(first: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    return bytes([first, *encoded, length]) + body


def connect_packet(
    username: str,
    password: str,
    *,
    keepalive: int = 0,
    level: int = 4,
    will: tuple[str, str] | None = None,
) -> bytes:
    flags = 0xC2 | (0x0C if will else 0)
    last_words = string(will[0]) + string(will[1]) if will else b""
    body = string("MQTT") + bytes([level, flags]) + keepalive.to_bytes(2, "big")
    if level == 5:
        body += b"\0"
    return packet(0x10, body + string(username) + last_words + string(username) + string(password))


def publish_packet(topic: str, data: bytes, *, mid: int = 1, qos: int = 1) -> bytes:
    return packet(0x30 | qos << 1, string(topic) + (mid.to_bytes(2, "big") if qos else b"") + data)


@contextlib.contextmanager
def running_broker(book: Book, folder: Path) -> Iterator[RunningBroker]:
    running = RunningBroker(book, folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()
