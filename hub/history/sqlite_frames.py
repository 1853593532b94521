"""The frame log and the heads of its sources: what relays read when the layer lost something."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from hub.history import sqlite_bulk
from hub.history.log_heads import heads_of
from hub.history.sqlite_file import Readers
from hub.history.store import Batch, Head
from hub.limits.history import FRAME_LOG_PRUNE_FRAMES
from hub.limits.live import FRAME_LOG_KEPT_MS, FRAME_LOG_PRUNE_EVERY_MS, HEADS_KEPT_MS
from hub.protocol.frames import Frame

_HEADS: Final = "SELECT source, last, at_ms, registry_version FROM head WHERE device_type = ? ORDER BY at_ms"
_PAGE: Final = """SELECT device_type, source, first, last, kind, at_ms, body FROM frame
    WHERE device_type = ? AND source = ? AND last > ? ORDER BY last LIMIT ?"""
_OLDEST: Final = "SELECT id, at_ms, upto FROM frame ORDER BY id LIMIT ?"
_INSERT: Final = """INSERT OR FAIL INTO frame
    (device_type, source, first, last, kind, at_ms, upto, body) VALUES {rows}"""
_MOVE: Final = """INSERT OR FAIL INTO head (device_type, source, last, at_ms, registry_version) VALUES {rows}
    ON CONFLICT (device_type, source) DO UPDATE SET
    last = max(last, excluded.last), at_ms = max(at_ms, excluded.at_ms),
    registry_version = max(registry_version, excluded.registry_version)"""


class FrameLog:
    """Writes the log inside the writer's transaction and keeps it short."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pruned_ms: int | None = None

    def append(self, cursor: sqlite3.Cursor, batch: Batch) -> None:
        """Log the frames of a batch, move the heads, and remove what has expired when it is time."""
        if batch.frames:
            self._insert(cursor, batch.frames)
        heads = heads_of(batch)
        if heads:
            sqlite_bulk.write(cursor, _MOVE, heads)
        if self._pruned_ms is None or not 0 <= batch.at_ms - self._pruned_ms < FRAME_LOG_PRUNE_EVERY_MS:
            self._prune(cursor, batch.at_ms)

    def _insert(self, cursor: sqlite3.Cursor, frames: Sequence[Frame]) -> None:
        upto = _upto(cursor)
        rows = []
        for frame in frames:
            upto += len(frame.body.encode())
            position = (frame.device_type, frame.source, frame.first, frame.last)
            rows.append((*position, frame.kind, frame.at_ms, upto, frame.body))
        sqlite_bulk.write(cursor, _INSERT, rows)

    def _prune(self, cursor: sqlite3.Cursor, now_ms: int) -> None:
        oldest_kept_ms, bytes_passed = now_ms - FRAME_LOG_KEPT_MS, _upto(cursor) - self._max_bytes
        expired, num_expired = None, 0
        for frame_id, at_ms, upto in cursor.execute(_OLDEST, (FRAME_LOG_PRUNE_FRAMES,)):
            if at_ms >= oldest_kept_ms and upto > bytes_passed:
                break
            expired, num_expired = frame_id, num_expired + 1
        if expired is not None:
            cursor.execute("DELETE FROM frame WHERE id <= ?", (expired,))
        cursor.execute("DELETE FROM head WHERE at_ms < ?", (now_ms - HEADS_KEPT_MS,))
        if num_expired < FRAME_LOG_PRUNE_FRAMES:
            self._pruned_ms = now_ms


def _upto(cursor: sqlite3.Cursor) -> int:
    row = cursor.execute("SELECT upto FROM frame ORDER BY id DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def heads(readers: Readers, device_type: str) -> dict[str, Head]:
    """The newest entry of each source of a type, the source that wrote least recently first."""
    rows = readers.rows(_HEADS, (device_type,))
    return {source: Head(last, at_ms, version) for source, last, at_ms, version in rows}


def page(readers: Readers, device_type: str, after: Mapping[str, int], limit: int) -> list[Frame]:
    """At most `limit` frames beyond the positions, source by source, older sources first."""
    frames: list[Frame] = []
    for source, head in heads(readers, device_type).items():
        position = after.get(source, 0)
        if head.last > position and len(frames) < limit:
            rows = readers.rows(_PAGE, (device_type, source, position, limit - len(frames)))
            frames += [Frame(*row) for row in rows]
    return frames
