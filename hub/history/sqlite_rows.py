"""Reading single readings and rollups from SQLite: what `hub.history.reading` asks for."""

from collections.abc import Sequence
from typing import Final

from hub.history.merging import decode_values
from hub.history.reading import Extent
from hub.history.rollups import DAY_MS, HOUR_MS
from hub.history.spans import Coverage, Resolution
from hub.history.sqlite_file import Readers
from hub.history.sqlite_rollups import TABLES, key_of, start_of
from hub.history.store import RawRow
from hub.limits.history import ROWS_PAGE_MAX

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_ROWS: Final = """SELECT ts, received, seq, "values" FROM reading
    WHERE device = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"""
_STATE: Final = """SELECT rolled_to, coalesce((SELECT closed_to FROM ledger WHERE device = ?), 0),
    minutes_from, hours_from FROM rollup_state"""
_DIRTY: Final = "SELECT hour FROM dirty WHERE device = ? AND hour > ? AND hour < ? ORDER BY hour"
_ENDS: Final = """SELECT
    (SELECT min(ts) FROM reading WHERE device = :device AND ts >= :start AND ts < :end),
    (SELECT max(ts) FROM reading WHERE device = :device AND ts >= :start AND ts < :end),
    (SELECT min(key) FROM rollup_1h WHERE key >= :first AND key <= :last),
    (SELECT max(key) FROM rollup_1h WHERE key >= :first AND key <= :last)"""
_PIECES: Final = "SELECT key, piece FROM {table} WHERE key >= ? AND key <= ? ORDER BY key"


def rows_page(
    readers: Readers, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int
) -> list[RawRow]:
    """Readings of the range beyond `after_ms`, at most `limit` and 5,000."""
    start_ms, end_ms = _int64(max(from_ms, after_ms + 1)), _int64(to_ms)
    rows = readers.rows(_ROWS, (device, start_ms, end_ms, max(0, min(limit, ROWS_PAGE_MAX))))
    return [RawRow(ts_ms, received_ms, seq, decode_values(text)) for ts_ms, received_ms, seq, text in rows]


def coverage(readers: Readers, device: int, from_ms: int, to_ms: int) -> Coverage:
    """What is kept of a device, and the dirty hours that touch the range."""
    ((rolled_to, closed_to, minutes_from, hours_from),) = readers.rows(_STATE, (device,))
    dirty = readers.rows(_DIRTY, (device, _int64(from_ms - HOUR_MS), _int64(to_ms)))
    return Coverage(rolled_to, closed_to, tuple(hour for (hour,) in dirty), minutes_from, hours_from)


def extent(readers: Readers, device: int, from_ms: int, to_ms: int, closed_to: int) -> Extent | None:
    """The first and last of the readings, and of the days of hours that are closed."""
    closed_end = min(to_ms, closed_to)
    first = key_of("1h", device, from_ms)
    last = key_of("1h", device, closed_end - 1) if from_ms < closed_end else first - 1
    wanted = {"device": device, "start": _int64(from_ms), "end": _int64(to_ms), "first": first, "last": last}
    ((oldest, newest, first_key, last_key),) = readers.rows(_ENDS, wanted)
    begins = [] if oldest is None else [oldest]
    ends = [] if newest is None else [newest]
    if first_key is not None:
        begins.append(max(from_ms, start_of("1h", first_key)))
        ends.append(min(closed_end, start_of("1h", last_key) + DAY_MS) - 1)
    return Extent(min(begins), max(ends)) if begins else None


def pieces(
    readers: Readers, resolution: Resolution, device: int, from_ms: int, to_ms: int
) -> Sequence[tuple[int, bytes]]:
    """Pieces of rollups that begin in the range."""
    query = _PIECES.format(table=TABLES[resolution])
    rows = readers.rows(query, (key_of(resolution, device, from_ms), key_of(resolution, device, to_ms - 1)))
    return [(start_of(resolution, key), piece) for key, piece in rows]


def _int64(time_ms: int) -> int:
    """A time that SQLite can compare with; nothing is stored beyond."""
    return min(max(time_ms, _INT64_MIN), _INT64_MAX)
