"""A broker made of bytes, for what a real one never does: no answer, a refusal, a topic of rubbish."""

import asyncio
from typing import Final

CONNECT: Final = 1
PUBLISH: Final = 3
PUBACK: Final = 4
SUBSCRIBE: Final = 8
PINGREQ: Final = 12
DISCONNECT: Final = 14


class ScriptedBroker:
    """Answers as it is told; `packets` holds (kind, body) of everything that clients sent."""

    def __init__(self) -> None:
        self.connack: int | None = 0
        self.suback = 1
        self.num_connections = 0
        self.packets: list[tuple[int, bytes]] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        """Listen on a free port, which is returned."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def send(self, data: bytes) -> None:
        self._writers[-1].write(data)

    def publish(self, topic: bytes, payload: bytes, mid: int = 0, *, dup: bool = False) -> None:
        """QoS 1 with a mid, otherwise QoS 0."""
        packet = publish_packet(topic, payload, mid)
        self.send(bytes([packet[0] | (8 if dup else 0)]) + packet[1:])

    def cut(self) -> None:
        """End the newest connection without a word."""
        self._writers[-1].close()

    def bodies(self, kind: int) -> list[bytes]:
        return [body for packet, body in self.packets if packet == kind]

    @property
    def acknowledged(self) -> list[int]:
        return [int.from_bytes(body, "big") for body in self.bodies(PUBACK)]

    async def stop(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        self._writers.append(writer)
        try:
            while True:
                kind, body = await _read_packet(reader)
                self.packets.append((kind, body))
                self._answer(kind, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, kind: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        if kind == CONNECT and self.connack is not None:
            writer.write(bytes([0x20, 2, 0, self.connack]))
        elif kind == SUBSCRIBE:
            codes = [self.suback] * body.count(b"devices/") + [0x80] * body.count(b"$SYS/")
            writer.write(bytes([0x90, 2 + len(codes)]) + body[:2] + bytes(codes))
        elif kind == PINGREQ:
            writer.write(b"\xd0\x00")


def publish_packet(topic: bytes, payload: bytes, mid: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    body += (mid.to_bytes(2, "big") if mid else b"") + payload
    return bytes([0x32 if mid else 0x30]) + _length(len(body)) + body


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (128 if size else 0))
        if not size:
            return bytes(out)


async def _read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size += (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first >> 4, await reader.readexactly(size)
