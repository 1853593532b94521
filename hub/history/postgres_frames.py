"""The frame log on PostgreSQL, and the heads of its sources."""

from collections.abc import Mapping
from typing import Final

from hub.history.log_heads import heads_of
from hub.history.postgres_database import Cursor, Database, columns
from hub.history.store import Batch, Head
from hub.limits.live import FRAME_LOG_KEPT_MS, FRAME_LOG_PRUNE_EVERY_MS, HEADS_KEPT_MS
from hub.protocol.frames import Frame

_HEADS: Final = "SELECT source, last, at_ms, registry_version FROM head WHERE device_type = %s ORDER BY at_ms"
_PAGE: Final = """SELECT device_type, source, first, last, kind, at_ms, body FROM frame
    WHERE device_type = %s AND source = %s AND last > %s AND id > (SELECT gone FROM frame_log)
    ORDER BY last LIMIT %s"""
# The one row is locked until the commit: frames of two bridges lie in the order of their commits.
_EXTEND: Final = """UPDATE frame_log SET last_id = last_id + %s, upto = upto + %s
    RETURNING last_id, upto, gone"""
_INSERT: Final = """INSERT INTO frame
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
    %s::text[], %s::bigint[], %s::bigint[], %s::text[])"""
_MOVE: Final = """INSERT INTO head AS h (device_type, source, last, at_ms, registry_version)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (device_type, source) DO UPDATE SET
    last = greatest(h.last, excluded.last), at_ms = greatest(h.at_ms, excluded.at_ms),
    registry_version = greatest(h.registry_version, excluded.registry_version)"""
_OLDEST_KEPT: Final = """SELECT id FROM frame WHERE id > %s AND at_ms >= %s AND upto > %s
    ORDER BY id LIMIT 1"""


class FrameLog:
    """Writes the log inside the writer's transaction and keeps it short."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pruned_ms: int | None = None

    def append(self, cursor: Cursor, batch: Batch) -> None:
        """Log the frames of a batch, move the heads, and pass over what has expired when it is time."""
        heads = sorted(heads_of(batch))
        if heads:
            cursor.execute(_MOVE, columns(heads))
        is_due = self._pruned_ms is None or not 0 <= batch.at_ms - self._pruned_ms < FRAME_LOG_PRUNE_EVERY_MS
        if batch.frames or is_due:
            last_id, upto, gone = self._insert(cursor, batch)
            if is_due:
                self._prune(cursor, batch.at_ms, last_id, upto, gone)

    def _insert(self, cursor: Cursor, batch: Batch) -> tuple[int, int, int]:
        sizes = [len(frame.body.encode()) for frame in batch.frames]
        row = cursor.execute(_EXTEND, (len(sizes), sum(sizes))).fetchone()
        assert row is not None, "frame_log has its row since it was made"
        last_id, upto, gone = row
        frame_id, passed = last_id - len(sizes), upto - sum(sizes)
        rows = []
        for frame, size in zip(batch.frames, sizes, strict=True):
            frame_id, passed = frame_id + 1, passed + size
            position = (frame.device_type, frame.source, frame.first, frame.last)
            rows.append((batch.at_ms, frame_id, *position, frame.kind, frame.at_ms, passed, frame.body))
        if rows:
            cursor.execute(_INSERT, columns(rows))
        return last_id, upto, gone

    def _prune(self, cursor: Cursor, now_ms: int, last_id: int, upto: int, gone: int) -> None:
        expired = (gone, now_ms - FRAME_LOG_KEPT_MS, upto - self._max_bytes)
        row = cursor.execute(_OLDEST_KEPT, expired).fetchone()
        newest_gone = row[0] - 1 if row else last_id
        if newest_gone > gone:
            cursor.execute("UPDATE frame_log SET gone = %s", (newest_gone,))
        cursor.execute("DELETE FROM head WHERE at_ms < %s", (now_ms - HEADS_KEPT_MS,))
        self._pruned_ms = now_ms


def heads(database: Database, device_type: str) -> dict[str, Head]:
    """The newest entry of each source of a type, the source that wrote least recently first."""
    rows = database.rows(_HEADS, (device_type,))
    return {source: Head(last, at_ms, version) for source, last, at_ms, version in rows}


def page(database: Database, device_type: str, after: Mapping[str, int], limit: int) -> list[Frame]:
    """At most `limit` frames beyond the positions, source by source, older sources first."""
    frames: list[Frame] = []
    for source, head in heads(database, device_type).items():
        position = after.get(source, 0)
        if head.last > position and len(frames) < limit:
            rows = database.rows(_PAGE, (device_type, source, position, limit - len(frames)))
            frames += [Frame(*row) for row in rows]
    return frames
