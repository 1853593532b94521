"""The newest entries of one device type, in the order in which sockets get them. Pure.

An index is absolute: it counts every entry since the relay began. Memory is a cache here; whoever
needs what has left the ring reads the frame log.
"""

import functools
from collections.abc import Mapping

import msgspec

from hub.limits.live import RELAY_RING_BYTES, RELAY_RING_FRAMES
from hub.protocol import frames
from hub.protocol.frames import Frame, FrameKind, Row


class Entry:
    """One frame on its way to sockets, with what several of them need, worked out once.

    `cursor`: how far who has sent this got. `arrived_s`: monotonic clock.
    """

    def __init__(self, frame: Frame, cursor: str, arrived_s: float) -> None:
        self.source = frame.source
        self.last = frame.last
        self.kind: FrameKind = frame.kind
        self.num_entries = frame.last - frame.first + 1
        self.body = frame.body
        self.cursor = cursor
        self.arrived_s = arrived_s
        self.text = frames.with_cursor(cursor, frame.body)

    @functools.cached_property
    def columns(self) -> str:
        return frames.columns_of(self.body)

    @functools.cached_property
    def metrics(self) -> list[str]:
        return self._decoded[0]

    @functools.cached_property
    def rows(self) -> list[Row]:
        """The readings of a readings frame."""
        return self._decoded[1]

    @functools.cached_property
    def rows_by_device(self) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.device_id, []).append(row)
        return found

    # Optimization: decoded once a process and not once a socket, when anybody filters or merges.
    @functools.cached_property
    def _decoded(self) -> tuple[list[str], list[Row]]:
        body = frames.decode_readings(self.body)
        rows = [
            Row(
                device_id,
                ts_ms,
                received_ms,
                seq,
                {key: value for key, value in zip(body.metrics, cells, strict=True) if value is not None},
            )
            for device_id, ts_ms, received_ms, seq, cells in body.rows
        ]
        return body.metrics, rows


class Part(msgspec.Struct, frozen=True, gc=False):
    """One message to send: its text without head and tail. `cursor` holds once it is sent."""

    kind: FrameKind
    text: str
    cursor: str
    merged: int = 0
    num_rows: int = 0


class Ring:
    """Entries `start <= index < end`. `cursor`: how far the newest one leads; `start_cursor`: in
    front of the oldest."""

    def __init__(
        self, cursor: str, max_entries: int = RELAY_RING_FRAMES, max_bytes: int = RELAY_RING_BYTES
    ) -> None:
        self.entries: list[Entry] = []
        self.start = 0
        self.start_cursor = cursor
        self.cursor = cursor
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._num_bytes = 0

    @property
    def end(self) -> int:
        return self.start + len(self.entries)

    def append(self, entry: Entry) -> None:
        """Add the newest entry; the oldest leave when there is no room."""
        self.entries.append(entry)
        self.cursor = entry.cursor
        self._num_bytes += len(entry.text)
        leaving = 0
        while (
            len(self.entries) - leaving > self._max_entries or self._num_bytes > self._max_bytes
        ) and leaving < len(self.entries) - 1:
            self._num_bytes -= len(self.entries[leaving].text)
            leaving += 1
        if leaving:
            self.start_cursor = self.entries[leaving - 1].cursor
            del self.entries[:leaving]
            self.start += leaving
