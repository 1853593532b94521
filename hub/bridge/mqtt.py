"""paho on the running asyncio loop: subscribe, inbox, acknowledge, publish.

No thread of paho's own, and nothing blocks: only `reconnect()`, which resolves names and shakes
hands, runs in a thread for as long as it takes.
"""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from devices.mqtt import BrokerAddress
from hub.bridge.inbox import Inbox, Message
from hub.bridge.wire import BufferedSocket
from hub.limits import BURST_MAX_PACKETS, MQTT_KEEPALIVE_S, RECONNECT_MAX_S, RECONNECT_MIN_S
from hub.protocol.topics import ALIVE

logger = logging.getLogger(__name__)

_MISC_EVERY_S: Final = 1.0
_CONNACK_WITHIN_S: Final = 10.0
_SUBACK_FAILURE: Final = 0x80


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Client(paho.Client):
    """paho's client on a socket that reads and writes in large pieces."""

    def _create_socket(self) -> Any:
        sock: Any = super()._create_socket()
        return BufferedSocket(sock)


class Link:
    """The bridge's connection to the broker. Lives on one loop; `run()` keeps it up until cancelled."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        filters: Sequence[str],
        inbox: Inbox,
    ) -> None:
        self._address = address
        self._filters = filters
        self._inbox = inbox
        self._connection = 0
        self._receiving = False
        self._changed_ms = _now_ms()
        self._resumed_ms = 0
        self._reading = False
        self._paused = False
        self._parse_planned = False
        self._write_planned = False
        self._sock: BufferedSocket | None = None
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._answered = asyncio.Event()
        self._client = self._make_client(client_id)

    @property
    def receiving(self) -> bool:
        """Connected, and every subscription granted."""
        return self._receiving

    @property
    def changed_ms(self) -> int:
        """When `receiving` last changed, in Unix milliseconds."""
        return self._changed_ms

    @property
    def receiving_since_ms(self) -> int | None:
        """Since when messages come in as the broker gets them, None while they do not."""
        if not self._receiving or self._paused:
            return None
        return max(self._changed_ms, self._resumed_ms)

    # --- what the worker asks for ------------------------------------------------------

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that messages are dealt with, in their order; old connections' are skipped."""
        for message in messages:
            if message.qos == 1 and message.connection == self._connection:
                self._client.ack(message.mid, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0, best effort."""
        if self._receiving:
            self._client.publish(topic, payload, qos=0)

    def resume_if_drained(self) -> None:
        """Read on if the reader paused for a full inbox that has room again."""
        if self._paused and self._inbox.has_room:
            self._paused = False
            self._resumed_ms = _now_ms()
            self._start_reading()
            # What was read but not parsed yet will not be announced again.
            self._plan_parsing()

    # --- the life of a connection ------------------------------------------------------

    async def run(self) -> None:
        """Connect, stay connected, come back with jittered backoff; until cancelled."""
        delay_s = RECONNECT_MIN_S
        try:
            while True:
                self._lost.clear()
                self._answered.clear()
                started_s = time.monotonic()
                if await self._connect():
                    await self._stay()
                if time.monotonic() - started_s > RECONNECT_MAX_S:
                    delay_s = RECONNECT_MIN_S
                await asyncio.sleep(random.uniform(RECONNECT_MIN_S / 2, delay_s))  # noqa: S311
                delay_s = min(delay_s * 2, RECONNECT_MAX_S)
        finally:
            self._close()

    async def _connect(self) -> bool:
        try:
            await asyncio.to_thread(self._client.reconnect)
        except OSError as error:
            logger.warning("MQTT broker %s:%d: %s", self._address.host, self._address.port, error)
            return False
        return True

    async def _stay(self) -> None:
        """Until the connection is lost; keeps it alive meanwhile, also while reading is paused."""
        connected_s = alive_s = time.monotonic()
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(_MISC_EVERY_S):
                    await self._lost.wait()
            except TimeoutError:
                now_s = time.monotonic()
                if not self._answered.is_set() and now_s - connected_s > _CONNACK_WITHIN_S:
                    logger.warning("MQTT broker: no answer to the sign-in within %.0f s", _CONNACK_WITHIN_S)
                    self._close()
                elif not self._paused:
                    self._client.loop_misc()
                elif now_s - alive_s > MQTT_KEEPALIVE_S / 2:
                    # paho counts unread ping answers as a dead broker, so it must not look now.
                    alive_s = now_s
                    self._client.publish(ALIVE, b"", qos=0)

    def _close(self) -> None:
        self._client.disconnect()
        self._flush()
        self._forget_connection()

    def _forget_connection(self) -> None:
        """Idempotent: paho tells of a lost connection twice."""
        self._turn(receiving=False)
        self._connection += 1
        self._paused = False
        self._inbox.drop_redelivered()
        self._lost.set()

    def _turn(self, *, receiving: bool) -> None:
        if receiving != self._receiving:
            self._receiving = receiving
            self._changed_ms = _now_ms()

    # --- paho's callbacks ----------------------------------------------------------------

    def _make_client(self, client_id: str) -> _Client:
        address = self._address
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.connect_async(address.host, address.port, MQTT_KEEPALIVE_S)
        return client

    def _on_connect(self, client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._answered.set()
        if code.is_failure:
            logger.error(
                "MQTT broker %s:%d refuses the account of the bridge: %s",
                self._address.host,
                self._address.port,
                code,
            )
            return
        self._connection += 1
        # At every connect, whatever session_present says: the broker may have forgotten.
        client.subscribe([(name, 1) for name in self._filters])

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        refused = [
            name for name, code in zip(self._filters, codes, strict=False) if code.value >= _SUBACK_FAILURE
        ]
        if refused:
            logger.error("MQTT broker refuses subscriptions of the bridge: %s", ", ".join(refused))
            self._client.disconnect()  # and ask again later: its rules may be on their way
            return
        self._turn(receiving=True)

    def _on_disconnect(self, *_: Any) -> None:
        self._forget_connection()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic: str | None = message.topic
        except UnicodeDecodeError:
            topic = None
        self._inbox.put(
            Message(
                topic,
                bytes(message.payload),
                message.qos,
                message.mid,
                message.retain,
                _now_ms(),
                self._connection,
            )
        )

    # --- the socket on the loop ------------------------------------------------------------

    def _on_socket_open(self, _client: Any, _data: Any, sock: Any) -> None:
        """In the thread of `reconnect()`."""
        self._loop.call_soon_threadsafe(self._adopt, sock)

    def _adopt(self, sock: BufferedSocket) -> None:
        self._sock = sock
        self._paused = False
        self._start_reading()

    def _on_socket_close(self, _client: Any, _data: Any, sock: Any) -> None:
        """Before the descriptor closes, so that the loop never watches a stranger's."""
        watched = self._sock
        if watched is not None and watched is sock:
            self._stop_reading()
            self._loop.remove_writer(watched.fileno())
            self._sock = None

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
        client, inbox = self._client, self._inbox
        for _ in range(BURST_MAX_PACKETS):
            if not self._reading or client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            if inbox.is_full:
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

    def _current(self) -> BufferedSocket | None:
        """The socket now: a call of paho may have closed the one before."""
        return self._sock

    def _has_unread(self) -> bool:
        """Whether a packet may be parsed without waiting; paho closes its socket when one is bad."""
        return self._sock is not None and self._sock.has_unread

    def _on_register_write(self, *_: Any) -> None:
        if not self._write_planned:
            self._write_planned = True
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        """Everything that paho wants to send, in as few pieces as the system takes."""
        self._write_planned = False
        sock = self._sock
        if sock is None:
            return
        self._client.loop_write()
        if sock is not self._current():
            return
        try:
            sock.flush()
        except OSError as error:
            logger.warning("MQTT connection lost while sending: %s", error)
            # Take what it had sent before; then paho meets the same error and ends the connection.
            while self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
                continue
            return
        if sock.has_unsent or self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._flush)
        else:
            self._loop.remove_writer(sock.fileno())
