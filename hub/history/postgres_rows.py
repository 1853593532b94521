"""Reading single readings and rollups from PostgreSQL: what `hub.history.reading` asks for."""

from collections.abc import Sequence
from typing import Final, LiteralString

from hub.history.merging import decode_values
from hub.history.postgres_database import Database
from hub.history.reading import PIECE_MS, Extent
from hub.history.rollups import DAY_MS, HOUR_MS
from hub.history.spans import Coverage, Resolution
from hub.history.store import RawRow
from hub.limits.history import ROWS_PAGE_MAX

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_ROWS: Final = """SELECT ts, received, seq, "values"::text FROM reading
    WHERE device = %s AND ts >= %s AND ts < %s ORDER BY ts LIMIT %s"""
_STATE: Final = """SELECT rolled_to, coalesce((SELECT closed_to FROM ledger WHERE device = %s), 0),
    minutes_from, hours_from FROM rollup_state"""
_DIRTY: Final = "SELECT hour FROM dirty WHERE device = %s AND hour > %s AND hour < %s ORDER BY hour"
_ENDS: Final = """SELECT
    (SELECT min(ts) FROM reading WHERE device = %(device)s AND ts >= %(from)s AND ts < %(to)s),
    (SELECT max(ts) FROM reading WHERE device = %(device)s AND ts >= %(from)s AND ts < %(to)s),
    (SELECT min(start) FROM rollup_1h WHERE device = %(device)s AND start >= %(first)s AND start < %(end)s),
    (SELECT max(start) FROM rollup_1h WHERE device = %(device)s AND start >= %(first)s AND start < %(end)s)"""
_PIECES: Final[dict[Resolution, LiteralString]] = {
    "1m": """SELECT start, piece FROM rollup_1m
        WHERE device = %s AND start >= %s AND start < %s ORDER BY start""",
    "1h": """SELECT start, piece FROM rollup_1h
        WHERE device = %s AND start >= %s AND start < %s ORDER BY start""",
}


def rows_page(
    database: Database, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int
) -> list[RawRow]:
    """Readings of the range beyond `after_ms`, at most `limit` and 5,000."""
    start_ms, end_ms = _int64(max(from_ms, after_ms + 1)), _int64(to_ms)
    rows = database.rows(_ROWS, (device, start_ms, end_ms, max(0, min(limit, ROWS_PAGE_MAX))))
    return [RawRow(ts_ms, received_ms, seq, decode_values(text)) for ts_ms, received_ms, seq, text in rows]


def coverage(database: Database, device: int, from_ms: int, to_ms: int) -> Coverage:
    """What is kept of a device, and the dirty hours that touch the range."""
    ((rolled_to, closed_to, minutes_from, hours_from),) = database.rows(_STATE, (device,))
    dirty = database.rows(_DIRTY, (device, _int64(from_ms - HOUR_MS), _int64(to_ms)))
    return Coverage(rolled_to, closed_to, tuple(hour for (hour,) in dirty), minutes_from, hours_from)


def extent(database: Database, device: int, from_ms: int, to_ms: int, closed_to: int) -> Extent | None:
    """The first and last of the readings, and of the days of hours that are closed."""
    closed_end = min(to_ms, closed_to)
    wanted = {
        "device": device,
        "from": _int64(from_ms),
        "to": _int64(to_ms),
        "first": _int64(_piece_start("1h", from_ms)),
        "end": _int64(closed_end if from_ms < closed_end else from_ms - DAY_MS),
    }
    ((oldest, newest, first_day, last_day),) = database.rows(_ENDS, wanted)
    begins = [] if oldest is None else [oldest]
    ends = [] if newest is None else [newest]
    if first_day is not None:
        begins.append(max(from_ms, first_day))
        ends.append(min(closed_end, last_day + DAY_MS) - 1)
    return Extent(min(begins), max(ends)) if begins else None


def pieces(
    database: Database, resolution: Resolution, device: int, from_ms: int, to_ms: int
) -> Sequence[tuple[int, bytes]]:
    """Pieces of rollups that cover any of the range."""
    where = (device, _int64(_piece_start(resolution, from_ms)), _int64(to_ms))
    return [(start_ms, bytes(piece)) for start_ms, piece in database.rows(_PIECES[resolution], where)]


def _piece_start(resolution: Resolution, time_ms: int) -> int:
    return time_ms - time_ms % PIECE_MS[resolution]


def _int64(time_ms: int) -> int:
    """A time that PostgreSQL can compare with; nothing is stored beyond."""
    return min(max(time_ms, _INT64_MIN), _INT64_MAX)
