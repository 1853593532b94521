"""paho on the running asyncio loop: subscribe, inbox, acknowledge, publish.

No thread of paho's own, and nothing blocks: only `reconnect()`, which resolves names and shakes
hands, runs in a thread for as long as it takes.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from devices.mqtt import BrokerAddress
from hub.bridge.inbox import Inbox, Message
from hub.bridge.pump import Pump
from hub.bridge.reception import Reception
from hub.bridge.wire import BufferedSocket
from hub.limits.bridge import MQTT_KEEPALIVE_S, RECONNECT_MAX_S, RECONNECT_MIN_S
from hub.protocol.topics import ALIVE

logger = logging.getLogger(__name__)

_MISC_EVERY_S: Final = 1.0
_CONNACK_WITHIN_S: Final = 10.0
_SUBACK_FAILURE: Final = 0x80


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


Deliver = Callable[[bytes, bytes, int, int, bool, bool], None]
"""(topic, payload, QoS, packet id, retained, delivered again) of a message, as it stood in the packet."""


class _Client(paho.Client):
    """paho's client on a socket that reads and writes in large pieces, and with a short way in.

    # Optimization: for each message paho makes an object, a log line and an empty search for filters
    # under two locks; here its packet goes straight to `deliver` (13 of 63 us CPU a message).
    """

    deliver: Deliver

    def _create_socket(self) -> Any:
        sock: Any = super()._create_socket()
        return BufferedSocket(sock)

    def _handle_publish(self) -> MQTTErrorCode:
        flags, packet = self._in_packet["command"], self._in_packet["packet"]
        qos = flags >> 1 & 0b11
        topic_end = 2 + (packet[0] << 8 | packet[1]) if len(packet) >= 2 else 2
        payload_at = topic_end + 2 if qos else topic_end
        if qos > 1 or len(packet) < payload_at:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL  # we subscribe with QoS 1
        mid = packet[topic_end] << 8 | packet[topic_end + 1] if qos else 0
        retained, dup = bool(flags & 1), bool(flags & 8)
        self.deliver(bytes(packet[2:topic_end]), bytes(packet[payload_at:]), qos, mid, retained, dup)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Link:
    """The bridge's connection to the broker. Lives on one loop; `run()` keeps it up until cancelled.

    `before_connect` is awaited each time; what it raises ends `run()`. `extras`: topics that are asked
    for with QoS 0, and which the broker may refuse.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        filters: Sequence[str],
        inbox: Inbox,
        before_connect: Callable[[], Awaitable[None]] | None = None,
        extras: Sequence[str] = (),
    ) -> None:
        self._address = address
        self._before_connect = before_connect
        self._filters = filters
        self._extras = extras
        self._inbox = inbox
        self._connection = 0
        self._reception = Reception(_now_ms())
        self._pump = Pump(lambda: inbox.is_full)
        self._lost = asyncio.Event()
        self._answered = asyncio.Event()
        self._client = self._make_client(client_id)

    @property
    def receiving(self) -> bool:
        """Connected, and every subscription granted."""
        return self._reception.receiving

    @property
    def changed_ms(self) -> int:
        """When `receiving` last changed, in Unix milliseconds."""
        return self._reception.changed_ms

    @property
    def receiving_since_ms(self) -> int | None:
        """Since when messages come in as the broker gets them, None while they do not."""
        return None if self._pump.paused else self._reception.since_ms(_now_ms())

    # --- what the worker asks for ------------------------------------------------------

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that messages are dealt with, in their order; old connections' are skipped."""
        for message in messages:
            if message.qos == 1 and message.connection == self._connection:
                self._client.ack(message.mid, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0, best effort."""
        if self.receiving:
            self._client.publish(topic, payload, qos=0)

    def resume_if_drained(self) -> None:
        """Read on if the reader paused for a full inbox that has room again."""
        if self._pump.paused and self._inbox.has_room:
            self._reception.resumed(_now_ms())
            self._pump.resume()

    # --- the life of a connection ------------------------------------------------------

    async def run(self) -> None:
        """Connect, stay connected, come back with jittered backoff; until cancelled."""
        delay_s = RECONNECT_MIN_S
        try:
            while True:
                self._lost.clear()
                self._answered.clear()
                if self._before_connect is not None:
                    await self._before_connect()
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
        self._reception.look(_now_ms())
        connected_s = alive_s = time.monotonic()
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(_MISC_EVERY_S):
                    await self._lost.wait()
            except TimeoutError:
                self._reception.look(_now_ms())
                now_s = time.monotonic()
                if not self._answered.is_set() and now_s - connected_s > _CONNACK_WITHIN_S:
                    logger.warning("MQTT broker: no answer to the sign-in within %.0f s", _CONNACK_WITHIN_S)
                    self._close()
                elif not self._pump.paused:
                    self._client.loop_misc()
                elif now_s - alive_s > MQTT_KEEPALIVE_S / 2:
                    # paho counts unread ping answers as a dead broker, so it must not look now.
                    alive_s = now_s
                    self._client.publish(ALIVE, b"", qos=0)

    def _close(self) -> None:
        self._client.disconnect()
        self._pump.flush()
        self._forget_connection()

    def _forget_connection(self) -> None:
        """Idempotent: paho tells of a lost connection twice."""
        self._reception.turn(_now_ms(), receiving=False)
        self._connection += 1
        self._pump.forget_pause()
        self._inbox.drop_redelivered()
        self._lost.set()

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
        client.deliver = self._on_message
        client.on_socket_open = self._pump.opened
        client.on_socket_close = self._pump.closed
        client.on_socket_register_write = self._pump.wants_to_write
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
        client.subscribe([*((name, 1) for name in self._filters), *((name, 0) for name in self._extras)])

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        refused = [
            name for name, code in zip(self._filters, codes, strict=False) if code.value >= _SUBACK_FAILURE
        ]
        if refused:
            logger.error("MQTT broker refuses subscriptions of the bridge: %s", ", ".join(refused))
            self._client.disconnect()  # and ask again later: its rules may be on their way
            return
        self._reception.turn(_now_ms(), receiving=True)

    def _on_disconnect(self, *_: Any) -> None:
        self._forget_connection()

    def _on_message(
        self, topic: bytes, payload: bytes, qos: int, mid: int, retained: bool, dup: bool
    ) -> None:
        try:
            name: str | None = topic.decode()
        except UnicodeDecodeError:
            name = None
        self._inbox.put(Message(name, payload, qos, mid, retained, _now_ms(), self._connection, dup))
