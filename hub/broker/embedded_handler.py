"""One connection to the embedded broker: amqtt's handler with its delivery repaired and made quick."""

import asyncio
import contextlib
from collections import deque
from typing import Protocol

from amqtt.adapters import BufferReader, StreamReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.packet import (
    DISCONNECT,
    PINGREQ,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBSCRIBE,
    UNSUBACK,
    UNSUBSCRIBE,
    MQTTFixedHeader,
)
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket
from amqtt.session import IncomingApplicationMessage, OutgoingApplicationMessage

from hub.broker import packets
from hub.broker.embedded_session import HubSession, Message, Will
from hub.broker.packets import BadPacketError, Packet
from hub.limits.bridge import BROKER_WINDOW_MESSAGES
from hub.limits.broker import (
    EMBEDDED_FLUSH_S,
    EMBEDDED_INBOUND_QOS2,
    EMBEDDED_KEEPALIVE_FACTOR,
    EMBEDDED_WRITE_BACKLOG_BYTES,
)


class Router(Protocol):
    """What a connection asks of its broker. All of it at once: who publishes is answered when it is done."""

    def route(self, username: str, message: Message, qos: int, retain: bool) -> None: ...
    def subscribe(self, client_id: str, topic_filter: str, qos: int) -> int: ...
    def unsubscribe(self, client_id: str, topic_filter: str) -> None: ...
    def send_retained(self, client_id: str, topic_filter: str, qos: int) -> None: ...
    def complain(self, text: str) -> None: ...


class Wire(StreamWriterAdapter):
    """The sending side of a connection. Closing never waits for a peer that does not read."""

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        """Close; what is written already has EMBEDDED_FLUSH_S to leave."""
        if self.is_closed:
            return
        self.is_closed = True
        transport = self._writer.transport
        transport.close()
        if transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(EMBEDDED_FLUSH_S, transport.abort)

    @property
    def backlog(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    @property
    def is_full(self) -> bool:
        return self.backlog > self._writer.transport.get_write_buffer_limits()[1]


class Handler(BrokerProtocolHandler):
    """Keeps what is not acknowledged, sends it again after a reconnect, enforces keep-alive.

    amqtt makes a task for every packet in either direction; here a packet is dealt with when it is read.
    """

    hub_session: HubSession
    _stream: asyncio.StreamReader
    _wire: Wire
    _router: Router

    def adopt(
        self, session: HubSession, stream: asyncio.StreamReader, wire: Wire, router: Router, will: Will | None
    ) -> None:
        """Everything that is known only once the client has signed in."""
        self.hub_session, self._stream, self._wire, self._router = session, stream, wire, router
        self.will = will
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._heard = self._loop.time()
        self._again: deque[OutgoingApplicationMessage] = deque()
        self._draining: asyncio.Task[None] | None = None
        self.attach(session, StreamReaderAdapter(stream), wire)

    async def start(self) -> None:
        # Not the parent's own start(): its disconnect waiter is made after reading has begun, so that
        # a client that leaves at once is never noticed, or its DISCONNECT is taken for a failure.
        await super(BrokerProtocolHandler, self).start()

    def end(self) -> None:
        """Close the connection; a last will that is still there goes out."""
        if not self.closed.done():
            self.closed.set_result(None)
        self._wire.cut()

    def send(self, message: Message) -> bool:
        """Send with QoS 0; False when the client is too far behind and the message is lost."""
        if self._wire.backlog > EMBEDDED_WRITE_BACKLOG_BYTES:
            return False
        self._wire.write(packets.encode_publish(message.topic, message.data, message.retain))
        return True

    def pump(self) -> None:
        """Send what waits with QoS 1, first what was in flight before, as far as window and buffer allow."""
        while not self.closed.done():
            if self._wire.is_full:
                self._draining = self._draining or asyncio.create_task(self._pump_later())
                return
            dup = bool(self._again)
            sent = self._again.popleft() if dup else self.hub_session.send_next(BROKER_WINDOW_MESSAGES)
            if sent is None:
                return
            if sent.packet_id in self.hub_session.inflight_out:
                packet = packets.encode_publish(
                    sent.topic, bytes(sent.data), sent.retain, sent.packet_id, dup
                )
                self._wire.write(packet)

    async def _pump_later(self) -> None:
        with contextlib.suppress(OSError):
            await self._wire.drain()
        self._draining = None
        self.pump()

    async def _retry_deliveries(self) -> None:
        self._again.extend(self.hub_session.inflight_out.values())
        self.pump()

    def handle_write_timeout(self) -> None:
        """Called after the keep-alive; amqtt does nothing, and a frozen device stays online for ever."""
        assert self.keepalive_timeout
        left_s = self._heard + EMBEDDED_KEEPALIVE_FACTOR * self.keepalive_timeout - self._loop.time()
        if left_s <= 0:
            self.end()
        else:
            self._keepalive_task = self._loop.call_later(left_s, self.handle_write_timeout)

    async def _reader_loop(self) -> None:
        assert self._reader_ready
        self._reader_ready.set()
        try:
            await self._read()
        except (BadPacketError, MQTTError, AMQTTError, NoDataError) as error:
            self._router.complain(f"{self.hub_session.client_id} was cut off: {error}.")
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # it went, or was sent away
        finally:
            self._reader_stopped.set()
            self.end()

    async def _read(self) -> None:
        while True:
            packet = await packets.read_packet(self._stream)
            if self.closed.done():
                return
            self._heard = self._loop.time()
            if packet.kind == PUBLISH:
                self._take_publish(packet)
            elif packet.kind == PUBACK:
                self.hub_session.acknowledge(packets.mid_of(packet))
                self.pump()
            else:
                await self._take_other(packet)
            if self._wire.backlog > EMBEDDED_WRITE_BACKLOG_BYTES:
                await self._wire.drain()

    def _take_publish(self, packet: Packet) -> None:
        topic, data, qos, retain, mid = packets.decode_publish(packet)
        if qos == 2:
            self._keep_until_released(IncomingApplicationMessage(mid, topic, qos, data, retain))
            return
        self._route(topic, data, qos, retain)
        if qos:
            self._wire.write(packets.acknowledgement(PUBACK, mid))

    def _keep_until_released(self, message: IncomingApplicationMessage) -> None:
        assert message.packet_id is not None
        inbound = self.hub_session.inflight_in
        if len(inbound) >= EMBEDDED_INBOUND_QOS2:
            raise BadPacketError(f"it has {EMBEDDED_INBOUND_QOS2} messages of QoS 2 that it does not release")
        inbound.setdefault(message.packet_id, message)
        self._wire.write(packets.acknowledgement(PUBREC, message.packet_id))

    def _release(self, mid: int) -> None:
        message = self.hub_session.inflight_in.pop(mid, None)
        if message is not None:
            self._route(message.topic, bytes(message.data), 2, message.retain)
        self._wire.write(packets.acknowledgement(PUBCOMP, mid))

    def _route(self, topic: str, data: bytes, qos: int, retain: bool) -> None:
        assert self.hub_session.username
        self._router.route(self.hub_session.username, Message(topic, data), qos, retain)

    async def _take_other(self, packet: Packet) -> None:
        if packet.kind == PINGREQ:
            self._wire.write(packets.PINGRESP)
        elif packet.kind == SUBSCRIBE:
            await self._take_subscribe(packet)
        elif packet.kind == UNSUBSCRIBE:
            await self._take_unsubscribe(packet)
        elif packet.kind == PUBREL:
            self._release(packets.mid_of(packet))
        elif packet.kind == DISCONNECT:
            self.will = None
            self.end()
        else:
            raise BadPacketError(f"it sent a packet of type {packet.kind}, which only a broker may send")

    async def _take_subscribe(self, packet: Packet) -> None:
        header = MQTTFixedHeader(packet.kind, packet.flags, len(packet.body))
        subscribe = await SubscribePacket.from_stream(BufferReader(packet.body), header)
        asked = subscribe.payload.topics if subscribe.payload else []
        client_id = self.hub_session.client_id
        assert client_id
        granted = [self._router.subscribe(client_id, topic_filter, qos) for topic_filter, qos in asked]
        self._wire.write(SubackPacket.build(packets.mid_of(packet), granted).to_bytes())
        for (topic_filter, _), qos in zip(asked, granted, strict=True):
            self._router.send_retained(client_id, topic_filter, qos)

    async def _take_unsubscribe(self, packet: Packet) -> None:
        header = MQTTFixedHeader(packet.kind, packet.flags, len(packet.body))
        unsubscribe = await UnsubscribePacket.from_stream(BufferReader(packet.body), header)
        assert self.hub_session.client_id
        for topic_filter in unsubscribe.payload.topics if unsubscribe.payload else []:
            self._router.unsubscribe(self.hub_session.client_id, topic_filter)
        self._wire.write(packets.acknowledgement(UNSUBACK, packets.mid_of(packet)))
