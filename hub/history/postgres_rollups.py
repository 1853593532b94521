"""The rollups in PostgreSQL: their rows, which hours are dirty, and what is late. No transactions.

An append holds APPENDING shared while it runs; who moves a boundary that appends look at holds it
alone, so no append is under way with the old one. Who changes pieces holds PIECES.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, LiteralString, NamedTuple

from hub.history.merging import Changes, Key, Row, decode_values
from hub.history.postgres_database import Cursor, columns
from hub.history.rollups import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Summaries,
    Summary,
    added,
    hour_of,
    minutes_of,
    pack,
    summaries_of,
    unpack,
    with_hours,
)
from hub.history.spans import Resolution
from hub.history.store import RawRow

_APPENDING: Final = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('appending ' || current_schema(), 0))"
)
_NOBODY_APPENDING: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('appending ' || current_schema(), 0))"
)
_PIECES: Final = "SELECT pg_advisory_xact_lock(hashtextextended('pieces ' || current_schema(), 0))"
_ROLLING_TO: Final = "SELECT rolling_to FROM rollup_state"
_CLOSED: Final = "SELECT device, closed_to FROM ledger WHERE closed_to > 0 AND device = ANY(%s::bigint[])"
_MARK: Final = """INSERT INTO dirty (device, hour, mark)
    SELECT d, h, nextval('mark') FROM unnest(%s::bigint[], %s::bigint[]) AS u(d, h)
    ON CONFLICT (device, hour) DO UPDATE SET mark = excluded.mark"""
_UNMARK: Final = "DELETE FROM dirty WHERE device = %s AND hour = %s AND mark = %s"
_KEPT_FROM: Final = "SELECT minutes_from, hours_from FROM rollup_state"
_PRUNED: Final = "UPDATE ledger SET pruned = pruned + %s WHERE device = %s"


class _Statements(NamedTuple):
    """What is done with the pieces of one resolution."""

    read: LiteralString
    remove: LiteralString
    replace: LiteralString


_OF: Final[dict[Resolution, _Statements]] = {
    "1m": _Statements(
        "SELECT piece FROM rollup_1m WHERE device = %s AND start = %s",
        "DELETE FROM rollup_1m WHERE device = %s AND start = %s",
        """INSERT INTO rollup_1m VALUES (%s, %s, %s)
        ON CONFLICT (device, start) DO UPDATE SET piece = excluded.piece""",
    ),
    "1h": _Statements(
        "SELECT piece FROM rollup_1h WHERE device = %s AND start = %s",
        "DELETE FROM rollup_1h WHERE device = %s AND start = %s",
        """INSERT INTO rollup_1h VALUES (%s, %s, %s)
        ON CONFLICT (device, start) DO UPDATE SET piece = excluded.piece""",
    ),
}


class Hour(NamedTuple):
    """An hour of a device made anew from readings that were read when it bore `mark`."""

    hour_ms: int
    mark: int
    minutes: bytes | None
    """The packed minutes; None without readings."""

    whole: dict[str, Summary]


class Late(NamedTuple):
    """What an append needs to know of the past."""

    rolling_to: int
    closed_to: Mapping[int, int]

    def is_closed(self, key: Key) -> bool:
        device, ts_ms = key
        return ts_ms < self.closed_to.get(device, 0)


# --- appends --------------------------------------------------------------------------------


def begin_append(cursor: Cursor, keys: Iterable[Key]) -> Late:
    """Take part in appending until the transaction ends; what is late of these keys."""
    cursor.execute(_APPENDING)
    row = cursor.execute(_ROLLING_TO).fetchone()
    rolling_to = int(row[0]) if row else 0
    devices = sorted({device for device, ts_ms in keys if ts_ms < rolling_to})
    closed = cursor.execute(_CLOSED, (devices,)).fetchall() if devices else []
    return Late(rolling_to, dict(closed))


def take_late(cursor: Cursor, change: Changes, late: Late) -> Counter[int]:
    """Mark the hours that readings changed after they were rolled up.

    New readings of closed hours were not inserted: they are added to the rollups here. Returns how
    many those were by device.
    """
    folded = [row for key, row in change.new.items() if late.is_closed(key)]
    # Before any hour is marked: in this order those who roll up take the two as well.
    if folded:
        _fold(cursor, folded)
    open_hours = {
        (key[0], key[1] - key[1] % HOUR_MS)
        for key in chain(change.new, change.changed)
        # A closed reading that waits to be pruned is in the rollups as it was; its change comes too late.
        if key[1] < late.rolling_to and not late.is_closed(key)
    }
    mark(cursor, sorted(open_hours))
    return Counter(row.device for row in folded)


def _fold(cursor: Cursor, rows: Iterable[Row]) -> None:
    hours: dict[tuple[int, int], list[RawRow]] = {}
    for row in sorted(rows):
        raw = RawRow(row.ts_ms, row.received_ms, row.seq, decode_values(row.values))
        hours.setdefault((row.device, row.ts_ms - row.ts_ms % HOUR_MS), []).append(raw)
    cursor.execute(_PIECES)
    kept_from = _kept_from(cursor)
    for (device, hour_ms), held in hours.items():
        minutes = minutes_of(held)
        whole: Summaries = {metric: {hour_ms: one} for metric, one in hour_of(minutes).items()}
        if hour_ms >= kept_from["1m"]:
            _add(cursor, "1m", device, hour_ms, MINUTE_MS, minutes)
        if hour_ms >= kept_from["1h"]:
            _add(cursor, "1h", device, hour_ms - hour_ms % DAY_MS, HOUR_MS, whole)


def _add(
    cursor: Cursor, resolution: Resolution, device: int, piece_ms: int, unit_ms: int, more: Summaries
) -> None:
    held = _summaries(cursor, resolution, device, piece_ms, unit_ms)
    _replace(cursor, resolution, device, piece_ms, pack(piece_ms, unit_ms, added(held, more)))


def count_pruned(cursor: Cursor, num_rows: Mapping[int, int]) -> None:
    """Count rows as pruned, by device."""
    for device, number in sorted(num_rows.items()):
        cursor.execute(_PRUNED, (number, device))


# --- rolling up -----------------------------------------------------------------------------


def stop_appends(cursor: Cursor) -> None:
    """Wait until no append is under way; new ones wait until this transaction ends, so be short."""
    cursor.execute(_NOBODY_APPENDING)


def mark(cursor: Cursor, hours: list[tuple[int, int]]) -> None:
    """Mark (device, hour) as dirty, with numbers that were never used before. `hours` in order."""
    if hours:
        cursor.execute(_MARK, columns(hours))


def write_day(cursor: Cursor, device: int, day_ms: int, hours: Iterable[Hour]) -> int:
    """Store hours of one day made anew and take their marks away; those changed meanwhile stay dirty.

    Returns how many were stored.
    """
    cursor.execute(_PIECES)
    valid = [hour for hour in hours if cursor.execute(_UNMARK, (device, hour.hour_ms, hour.mark)).rowcount]
    kept_from = _kept_from(cursor)
    for hour in valid:
        if hour.hour_ms >= kept_from["1m"]:
            _replace(cursor, "1m", device, hour.hour_ms, hour.minutes)
    if valid and day_ms >= kept_from["1h"]:
        day = _summaries(cursor, "1h", device, day_ms, HOUR_MS)
        day = with_hours(day, {hour.hour_ms: hour.whole for hour in valid})
        _replace(cursor, "1h", device, day_ms, pack(day_ms, HOUR_MS, day) if day else None)
    return len(valid)


def _kept_from(cursor: Cursor) -> dict[Resolution, int]:
    row = cursor.execute(_KEPT_FROM).fetchone()
    minutes_from, hours_from = row or (0, 0)
    return {"1m": minutes_from, "1h": hours_from}


def _summaries(cursor: Cursor, resolution: Resolution, device: int, piece_ms: int, unit_ms: int) -> Summaries:
    row = cursor.execute(_OF[resolution].read, (device, piece_ms)).fetchone()
    return summaries_of(piece_ms, unit_ms, unpack(row[0])) if row else {}


def _replace(cursor: Cursor, resolution: Resolution, device: int, piece_ms: int, piece: bytes | None) -> None:
    if piece is None:
        cursor.execute(_OF[resolution].remove, (device, piece_ms))
    else:
        cursor.execute(_OF[resolution].replace, (device, piece_ms, piece))
