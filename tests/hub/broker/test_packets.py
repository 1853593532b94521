import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.broker.packets import BadPacketError, Packet, decode_publish, encode, encode_publish, read_packet
from hub.limits.telemetry import MAX_PACKET_BYTES
from tests.hub.broker.parts import packet, publish_packet

names = st.text(min_size=1, max_size=50).filter(lambda name: not set(name) & set("+#\0") and name[0] != "$")


async def reading(data: bytes) -> Packet:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return await read_packet(stream)


@given(names, st.binary(max_size=300), st.booleans(), st.integers(1, 65_535), st.booleans())
def test_a_publish_survives_the_wire(topic: str, data: bytes, retain: bool, mid: int, dup: bool):
    raw = encode_publish(topic, data, retain, mid, dup)
    read = asyncio.run(reading(raw))
    assert decode_publish(read) == (topic, data, 1, retain, mid)
    assert bool(read.flags & 8) is dup
    assert encode(read) == raw


@given(st.binary(max_size=40), st.integers(0, 15))
def test_taking_a_publish_apart_raises_nothing_but_bad_packet(body: bytes, flags: int):
    with contextlib.suppress(BadPacketError):
        decode_publish(Packet(3, flags, body))


@pytest.mark.parametrize("topic", ["a/+", "#", "a\0b", "$SYS/x", ""])
def test_nobody_publishes_to_a_topic_that_is_none(topic: str):
    read = asyncio.run(reading(publish_packet(topic, b"1")))
    with pytest.raises(BadPacketError):
        decode_publish(read)


async def test_a_packet_above_the_limit_is_not_read():
    with pytest.raises(BadPacketError, match=str(MAX_PACKET_BYTES)):
        await reading(packet(0x30, bytes(MAX_PACKET_BYTES + 1)))
    assert len((await reading(packet(0x30, bytes(MAX_PACKET_BYTES)))).body) == MAX_PACKET_BYTES


async def test_a_length_of_five_bytes_is_none():
    with pytest.raises(BadPacketError):
        await reading(b"\x30\xff\xff\xff\xff\x01")
