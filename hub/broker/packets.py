"""MQTT 3.1.1 packets where amqtt's own codec is too slow or too trusting (one task, one object and ten
awaits a packet; no limit of size). All others are amqtt's."""

import asyncio
from typing import Final, NamedTuple

from hub.limits.telemetry import MAX_PACKET_BYTES

PINGRESP: Final = b"\xd0\x00"
NOT_AUTHORIZED: Final = b"\x20\x02\x00\x05"
SERVER_UNAVAILABLE: Final = b"\x20\x02\x00\x03"
WRONG_VERSION: Final = b"\x20\x02\x00\x01"
WRONG_VERSION_5: Final = b"\x20\x03\x00\x84\x00"
"""MQTT 5's own words for it, so that such a client can say what is wrong."""

_DUP, _RETAIN = 0x08, 0x01


class BadPacketError(Exception):
    """What arrived is no MQTT 3.1.1, or more than the broker takes. The connection ends."""


class Packet(NamedTuple):
    """A packet as it came: type 1 to 14, flags, and all behind the fixed header."""

    kind: int
    flags: int
    body: bytes


class Publish(NamedTuple):
    topic: str
    data: bytes
    qos: int
    retain: bool
    mid: int


async def read_packet(stream: asyncio.StreamReader) -> Packet:
    """The next packet. Raises IncompleteReadError at the end, BadPacketError above MAX_PACKET_BYTES."""
    first, encoded = await stream.readexactly(2)
    length, shift = encoded & 0x7F, 7
    while encoded & 0x80:
        if shift > 21:
            raise BadPacketError("its remaining length has more than four bytes")
        (encoded,) = await stream.readexactly(1)
        length |= (encoded & 0x7F) << shift
        shift += 7
    if length > MAX_PACKET_BYTES:
        raise BadPacketError(f"it sent a packet of {length} bytes; {MAX_PACKET_BYTES} is the most")
    return Packet(first >> 4, first & 0x0F, await stream.readexactly(length))


def decode_publish(packet: Packet) -> Publish:
    """Take a PUBLISH apart. Raises BadPacketError, also for a topic that nobody may write."""
    qos, body = (packet.flags >> 1) & 3, packet.body
    end = 2 + int.from_bytes(body[:2], "big")
    start = end + 2 if qos else end
    if len(body) < start or end == 2 or qos == 3:
        raise BadPacketError("its PUBLISH cannot be taken apart")
    try:
        topic = body[2:end].decode()
    except UnicodeDecodeError:
        raise BadPacketError("its topic is not UTF-8") from None
    if "#" in topic or "+" in topic or "\0" in topic or topic.startswith("$"):
        raise BadPacketError("it published to a topic with `+`, `#`, NUL or a leading `$`")
    mid = int.from_bytes(body[end:start], "big")
    return Publish(topic, body[start:], qos, bool(packet.flags & _RETAIN), mid)


def encode_publish(topic: str, data: bytes, retain: bool, mid: int | None = None, dup: bool = False) -> bytes:
    """A PUBLISH of QoS 1, or of QoS 0 without a mid."""
    name = topic.encode()
    first = 0x30 | (_RETAIN if retain else 0) | (_DUP if dup else 0) | (0 if mid is None else 0x02)
    header = len(name).to_bytes(2, "big") + name + (b"" if mid is None else mid.to_bytes(2, "big"))
    return bytes([first]) + _length(len(header) + len(data)) + header + data


def acknowledgement(kind: int, mid: int) -> bytes:
    """PUBACK (4), PUBREC (5), PUBCOMP (7) or UNSUBACK (11)."""
    return bytes([kind << 4, 2]) + mid.to_bytes(2, "big")


def mid_of(packet: Packet) -> int:
    if len(packet.body) < 2:
        raise BadPacketError("its packet has no packet identifier")
    return int.from_bytes(packet.body[:2], "big")


def protocol_level(connect: Packet) -> int:
    """The MQTT version that a CONNECT asks for: 4 is 3.1.1, 5 is 5, and 3 or 0 is older or something else."""
    named = connect.body.startswith(b"\x00\x04MQTT") and len(connect.body) > 6
    return connect.body[6] if named else 0


def encode(packet: Packet) -> bytes:
    """A packet as it came, with its fixed header."""
    return bytes([packet.kind << 4 | packet.flags]) + _length(len(packet.body)) + packet.body


def _length(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
