"""A publisher that costs little: raw MQTT 3.1.1 packets, QoS 1, a window of unacknowledged ones.

    python -m tests.bench.parts.publisher HOST PORT MESSAGES DEVICES

Prints the seconds from the first packet to the last acknowledgement.
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Iterator

WINDOW = 1_000
DEVICE_TYPE = "bench"


def device_id(number: int) -> str:
    return f"bench-{number:04d}"


def packets(num_messages: int, num_devices: int) -> Iterator[bytes]:
    """PUBLISH packets: each device's own topic, a reading of three metrics with time and seq."""
    started_ms = time.time_ns() // 1_000_000
    for number in range(num_messages):
        device, turn = number % num_devices, number // num_devices
        values = {"temperature": 20 + turn % 50 / 10, "humidity": 40 + device % 30, "running": turn % 2 == 0}
        payload = json.dumps({"ts": started_ms + turn, "seq": turn, "values": values}).encode()
        topic = f"devices/{DEVICE_TYPE}/{device_id(device)}/telemetry".encode()
        body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number % 65_535 + 1) + payload
        yield b"\x32" + remaining_length(len(body)) + body


def publish(host: str, port: int, num_messages: int, num_devices: int) -> float:
    """Send everything as fast as the broker acknowledges; returns the seconds it took."""
    sock = connect(host, port)
    acknowledged = sent = 0
    waiting = b""
    stream = packets(num_messages, num_devices)
    started_s = time.perf_counter()
    while acknowledged < num_messages:
        room = min(WINDOW - (sent - acknowledged), num_messages - sent)
        if room >= WINDOW // 4 or (room and sent + room == num_messages):
            sock.sendall(b"".join(next(stream) for _ in range(room)))
            sent += room
        waiting += sock.recv(65_536)
        acknowledged += len(waiting) // 4
        waiting = waiting[len(waiting) // 4 * 4 :]
    return time.perf_counter() - started_s


def connect(host: str, port: int) -> socket.socket:
    """A clean session that the broker has accepted. Raises ConnectionError when it refuses."""
    client = b"bench-publisher"
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(client)) + client
    sock = socket.create_connection((host, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"\x10" + remaining_length(len(body)) + body)
    if sock.recv(4)[3:] != b"\x00":
        raise ConnectionError("the broker refuses the publisher")
    return sock


def remaining_length(size: int) -> bytes:
    """A packet's length as MQTT writes it, seven bits a byte."""
    digits = bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | (128 if size else 0))
        if not size:
            return bytes(digits)


if __name__ == "__main__":
    host, port, num_messages, num_devices = sys.argv[1:]
    print(publish(host, int(port), int(num_messages), int(num_devices)))
