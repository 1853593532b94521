"""The rollups in SQLite: their rows, which hours are dirty, and what is late. SQL only; no transactions."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from hub.history import sqlite_bulk
from hub.history.merging import Changes, Row, decode_values
from hub.history.reading import PIECE_MS
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

TABLES: Final[dict[Resolution, str]] = {"1m": "rollup_1m", "1h": "rollup_1h"}
_KEY_BITS: Final = 24
_ROLLING_TO: Final = "SELECT rolling_to FROM rollup_state"
_CLOSED: Final = "SELECT device, closed_to FROM ledger WHERE closed_to > 0 AND device IN (VALUES {rows})"
_NEXT_MARK: Final = "UPDATE rollup_state SET marks = marks + 1 RETURNING marks"
_MARK: Final = """INSERT OR FAIL INTO dirty VALUES {rows}
    ON CONFLICT (device, hour) DO UPDATE SET mark = excluded.mark"""
_UNMARK: Final = "DELETE FROM dirty WHERE device = ? AND hour = ? AND mark = ?"
_PIECE: Final = "SELECT piece FROM {table} WHERE key = ?"
_REPLACE: Final = """INSERT OR FAIL INTO {table} VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET piece = excluded.piece"""
_PRUNED: Final = "UPDATE ledger SET pruned = pruned + ? WHERE device = ?"


class Hour(NamedTuple):
    """An hour of a device made anew from readings that were read when it bore `mark`."""

    hour_ms: int
    mark: int
    minutes: bytes | None
    """The packed minutes; None without readings."""

    whole: dict[str, Summary]


def key_of(resolution: Resolution, device: int, time_ms: int) -> int:
    """The key of the piece that begins at or before a time, as if there were no other device."""
    return (device << _KEY_BITS) + min(max(0, time_ms) // PIECE_MS[resolution], (1 << _KEY_BITS) - 1)


def start_of(resolution: Resolution, key: int) -> int:
    """When the piece with a key begins."""
    return (key & ((1 << _KEY_BITS) - 1)) * PIECE_MS[resolution]


# --- what is late ---------------------------------------------------------------------------


def take_late(cursor: sqlite3.Cursor, change: Changes) -> Counter[int]:
    """Mark the hours that readings changed after they were rolled up.

    New readings of closed hours leave `change`: they are added to the rollups here. Returns how many
    those were by device.
    """
    (rolling_to,) = cursor.execute(_ROLLING_TO).fetchone()
    late = [row for row in chain(change.new.values(), change.changed.values()) if row.ts_ms < rolling_to]
    if not late:
        return Counter()
    devices = [(device,) for device in {row.device for row in late}]
    closed_to: dict[int, int] = dict(sqlite_bulk.read(cursor, _CLOSED, devices))
    open_hours = {
        (row.device, row.ts_ms - row.ts_ms % HOUR_MS)
        for row in late
        if row.ts_ms >= closed_to.get(row.device, 0)
    }
    mark(cursor, sorted(open_hours))
    closed = [row for row in late if row.ts_ms < closed_to.get(row.device, 0)]
    # A reading that waits to be pruned is in the rollups as it was; its change comes too late.
    new = [row for row in closed if change.new.pop((row.device, row.ts_ms), None) is not None]
    _fold(cursor, new)
    return Counter(row.device for row in new)


def _fold(cursor: sqlite3.Cursor, rows: Iterable[Row]) -> None:
    hours: dict[tuple[int, int], list[RawRow]] = {}
    for row in sorted(rows):
        raw = RawRow(row.ts_ms, row.received_ms, row.seq, decode_values(row.values))
        hours.setdefault((row.device, row.ts_ms - row.ts_ms % HOUR_MS), []).append(raw)
    kept_from = _kept_from(cursor)
    for (device, hour_ms), held in hours.items():
        minutes = minutes_of(held)
        whole: Summaries = {metric: {hour_ms: one} for metric, one in hour_of(minutes).items()}
        if hour_ms >= kept_from["1m"]:
            _add(cursor, "1m", device, hour_ms, MINUTE_MS, minutes)
        if hour_ms >= kept_from["1h"]:
            _add(cursor, "1h", device, hour_ms - hour_ms % DAY_MS, HOUR_MS, whole)


def _add(
    cursor: sqlite3.Cursor, resolution: Resolution, device: int, piece_ms: int, unit_ms: int, more: Summaries
) -> None:
    key = key_of(resolution, device, piece_ms)
    held = _summaries(cursor, resolution, key, piece_ms, unit_ms)
    _replace(cursor, resolution, key, pack(piece_ms, unit_ms, added(held, more)))


def count_pruned(cursor: sqlite3.Cursor, num_rows: Mapping[int, int]) -> None:
    """Count rows as pruned, by device."""
    for device, number in num_rows.items():
        cursor.execute(_PRUNED, (number, device))


# --- what is made anew ----------------------------------------------------------------------


def mark(cursor: sqlite3.Cursor, hours: list[tuple[int, int]]) -> None:
    """Mark (device, hour) as dirty, with a number that was never used before."""
    if hours:
        (number,) = cursor.execute(_NEXT_MARK).fetchone()
        sqlite_bulk.write(cursor, _MARK, [(*hour, number) for hour in hours])


def write_day(cursor: sqlite3.Cursor, device: int, day_ms: int, hours: Iterable[Hour]) -> int:
    """Store hours of one day made anew and take their marks away; those changed meanwhile stay dirty.

    Returns how many were stored.
    """
    valid = [hour for hour in hours if cursor.execute(_UNMARK, (device, hour.hour_ms, hour.mark)).rowcount]
    kept_from = _kept_from(cursor)
    for hour in valid:
        if hour.hour_ms >= kept_from["1m"]:
            _replace(cursor, "1m", key_of("1m", device, hour.hour_ms), hour.minutes)
    if valid and day_ms >= kept_from["1h"]:
        key = key_of("1h", device, day_ms)
        day = _summaries(cursor, "1h", key, day_ms, HOUR_MS)
        day = with_hours(day, {hour.hour_ms: hour.whole for hour in valid})
        _replace(cursor, "1h", key, pack(day_ms, HOUR_MS, day) if day else None)
    return len(valid)


def _kept_from(cursor: sqlite3.Cursor) -> dict[Resolution, int]:
    minutes_from, hours_from = cursor.execute("SELECT minutes_from, hours_from FROM rollup_state").fetchone()
    return {"1m": minutes_from, "1h": hours_from}


def _summaries(
    cursor: sqlite3.Cursor, resolution: Resolution, key: int, piece_ms: int, unit_ms: int
) -> Summaries:
    row = cursor.execute(_PIECE.format(table=TABLES[resolution]), (key,)).fetchone()
    return summaries_of(piece_ms, unit_ms, unpack(row[0])) if row else {}


def _replace(cursor: sqlite3.Cursor, resolution: Resolution, key: int, piece: bytes | None) -> None:
    table = TABLES[resolution]
    if piece is None:
        cursor.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - one of two names of ours
    else:
        cursor.execute(_REPLACE.format(table=table), (key, piece))
