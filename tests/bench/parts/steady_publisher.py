"""A publisher at a steady rate: raw MQTT 3.1.1 packets, QoS 1, for as long as its standard input is open.

    python -m tests.bench.parts.steady_publisher HOST PORT RATE DEVICES

When standard input ends it waits for the last acknowledgement and prints what it did as JSON:
messages published, and how far it fell behind at worst, in seconds.
"""

import json
import select
import struct
import sys
import time

from tests.bench.parts.publisher import DEVICE_TYPE, connect, device_id, remaining_length

TICK_S = 0.05
MAX_WAITING = 30_000
"""Messages on their way to the broker and back; their numbers have 16 bits."""

ACKNOWLEDGE_WITHIN_S = 60.0


class SteadyPublisher:
    """Device after device sends a reading of three metrics, with a number of its own and the time at which
    it was due: when the publisher is late, no two readings of a device get the same time."""

    def __init__(self, host: str, port: int, rate: float, num_devices: int) -> None:
        self._socket = connect(host, port)
        self._rate = rate
        self._num_devices = num_devices
        self._started_ms = time.time_ns() // 1_000_000
        self._unread = b""
        self.published = self.acknowledged = 0
        self.late_s = 0.0

    def run(self) -> None:
        """Publish until standard input ends."""
        started_s = time.monotonic()
        while not _stdin_ended():
            due = int((time.monotonic() - started_s) * self._rate) - self.published
            room = MAX_WAITING - (self.published - self.acknowledged)
            self._send(min(due, room))
            self.late_s = max(self.late_s, max(0, due - room) / self._rate)
            self._read_acknowledgements(TICK_S)
        deadline_s = time.monotonic() + ACKNOWLEDGE_WITHIN_S
        while self.acknowledged < self.published and time.monotonic() < deadline_s:
            self._read_acknowledgements(TICK_S)

    def _send(self, count: int) -> None:
        self._socket.sendall(b"".join(self._packet(self.published + i) for i in range(count)))
        self.published += max(0, count)

    def _packet(self, number: int) -> bytes:
        device, turn = number % self._num_devices, number // self._num_devices
        values = {"temperature": 20 + turn % 50 / 10, "humidity": 40 + device % 30, "running": turn % 2 == 0}
        due_ms = self._started_ms + int(1000 * number / self._rate)
        payload = json.dumps({"ts": due_ms, "seq": turn, "values": values}).encode()
        topic = f"devices/{DEVICE_TYPE}/{device_id(device)}/telemetry".encode()
        body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number % 65_535 + 1) + payload
        return b"\x32" + remaining_length(len(body)) + body

    def _read_acknowledgements(self, within_s: float) -> None:
        """Until it is time for the next messages; a PUBACK has four bytes."""
        until_s = time.monotonic() + within_s
        while (left_s := until_s - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left_s)[0]:
                return
            received = self._socket.recv(65_536)
            if not received:
                raise ConnectionError("the broker has closed the connection")
            self._unread += received
            self.acknowledged += len(self._unread) // 4
            self._unread = self._unread[len(self._unread) // 4 * 4 :]


def _stdin_ended() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main() -> None:
    host, port, rate, num_devices = sys.argv[1:]
    publisher = SteadyPublisher(host, int(port), float(rate), int(num_devices))
    print("ready", flush=True)
    publisher.run()
    done = {"published": publisher.published, "acknowledged": publisher.acknowledged}
    print(json.dumps({**done, "late_s": round(publisher.late_s, 3)}), flush=True)


if __name__ == "__main__":
    main()
