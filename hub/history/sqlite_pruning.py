"""Removing from SQLite what is no longer kept, slice by slice."""

import sqlite3
from typing import Final, NamedTuple

from hub.history import sqlite_rollups
from hub.history.pace import Pace
from hub.history.rollups import DAY_MS, HOUR_MS
from hub.history.spans import Resolution
from hub.history.sqlite_file import Readers
from hub.history.sqlite_rollups import TABLES, key_of
from hub.history.sqlite_slices import Slices
from hub.history.store import Cutoffs
from hub.limits.history import (
    CLOSE_SLICE,
    CLOSE_SLICE_MAX,
    DELETE_PIECES_SLICE,
    DELETE_PIECES_SLICE_MAX,
    DELETE_SLICE_ROWS,
    DELETE_SLICE_ROWS_MAX,
)

_ALL_TIME: Final = 2**62
_DEVICES: Final = "SELECT device FROM ledger ORDER BY device"
_KEPT_FROM: Final = "SELECT minutes_from, hours_from FROM rollup_state"
_KEEP_FROM: Final = """UPDATE rollup_state SET minutes_from = max(minutes_from, ?),
    hours_from = max(hours_from, ?)"""
_END: Final = "SELECT ts FROM reading WHERE device = ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET ?"
_REMOVE: Final = "DELETE FROM reading WHERE device = ? AND ts < ?"
_OLD: Final = "SELECT EXISTS (SELECT 1 FROM reading WHERE device = ? AND ts < ?)"
_CLOSE: Final = """UPDATE ledger SET closed_to = max(closed_to, min(
    ?, (SELECT rolled_to FROM rollup_state),
    coalesce((SELECT min(hour) FROM dirty WHERE dirty.device = ledger.device), ?))) WHERE device = ?"""
_CLOSED_TO: Final = "SELECT closed_to FROM ledger WHERE device = ?"


class _Old(NamedTuple):
    """Readings of a device that may go."""

    device: int
    before_ms: int


class Pruning:
    """Removes readings, rollups and whole devices."""

    def __init__(self, readers: Readers, slices: Slices) -> None:
        self._readers = readers
        self._slices = slices
        self._rows = Pace(DELETE_SLICE_ROWS, DELETE_SLICE_ROWS_MAX)
        self._closings = Pace(CLOSE_SLICE, CLOSE_SLICE_MAX)
        self._pieces = Pace(DELETE_PIECES_SLICE, DELETE_PIECES_SLICE_MAX)
        self._swept: dict[Resolution, int] = {}

    def prune(self, cutoffs: Cutoffs) -> int:
        """HistoryStore.prune."""
        removed = self._prune_readings(cutoffs)
        minutes_from = cutoffs.minutes - cutoffs.minutes % HOUR_MS
        hours_from = cutoffs.hours - cutoffs.hours % DAY_MS
        if (minutes_from, hours_from) > (0, 0):
            self._slices.once(lambda cursor: cursor.execute(_KEEP_FROM, (minutes_from, hours_from)))
        ((minutes_from, hours_from),) = self._readers.rows(_KEPT_FROM)
        self._prune_rollups("1m", minutes_from)
        self._prune_rollups("1h", hours_from)
        return removed

    def delete(self, device: int) -> int:
        """HistoryStore.delete. Each slice counts as pruned, so the law holds if the next never comes."""
        removed = 0
        while number := self._remove([_Old(device, _ALL_TIME)]):
            removed += number
        for resolution in TABLES:
            while self._remove_pieces(resolution, [device], _ALL_TIME):
                pass
        self._slices.once(lambda cursor: self._forget(cursor, device))
        return removed

    # --- readings ---------------------------------------------------------------------------

    def _prune_readings(self, cutoffs: Cutoffs) -> int:
        hours = {device: cutoff_ms - cutoff_ms % HOUR_MS for device, cutoff_ms in cutoffs.raw.items()}
        wanted = [_Old(*one) for one in hours.items() if self._readers.rows(_OLD, one)[0][0]]
        old: list[_Old] = []
        while wanted:
            old += self._close(wanted)
        removed = 0
        while old:
            removed += self._remove(old)
        return removed

    def _close(self, wanted: list[_Old]) -> list[_Old]:
        """Close hours as far as they are rolled up and clean: one slice, which is taken off `wanted`.

        Returns how far each device is closed now.
        """
        closed: list[_Old] = []

        def close(cursor: sqlite3.Cursor, most: int) -> int:
            for device, before_ms in wanted[:most]:
                cursor.execute(_CLOSE, (before_ms, before_ms, device))
                row = cursor.execute(_CLOSED_TO, (device,)).fetchone()
                closed.append(_Old(device, row[0] if row else 0))
            return len(closed)

        self._slices.run(self._closings, close)
        del wanted[: len(closed)]
        return closed

    def _remove(self, old: list[_Old]) -> int:
        """One slice of what may go, device by device; what is finished is taken off."""
        removed = 0

        def remove(cursor: sqlite3.Cursor, most: int) -> int:
            nonlocal removed
            while old and removed < most:
                number, is_all = _remove_oldest(cursor, *old[0], most - removed)
                removed += number
                if is_all:
                    del old[0]
            return removed

        self._slices.run(self._rows, remove)
        return removed

    def _forget(self, cursor: sqlite3.Cursor, device: int) -> None:
        """All that is left of a device; readings that came since the last slice too."""
        cursor.execute(_REMOVE, (device, _ALL_TIME))
        for resolution in TABLES:
            _remove_oldest_pieces(cursor, resolution, device, _ALL_TIME, _ALL_TIME)
        for table in ("dirty", "latest", "ledger"):
            cursor.execute(f"DELETE FROM {table} WHERE device = ?", (device,))  # noqa: S608 - names of ours
        self._slices.writer.forget_device(device)

    # --- rollups ----------------------------------------------------------------------------

    def _prune_rollups(self, resolution: Resolution, before_ms: int) -> None:
        """Once for each cutoff, and once more in each process: the one before may have been interrupted."""
        if self._swept.get(resolution, 0) >= before_ms:
            return
        devices = [device for (device,) in self._readers.rows(_DEVICES)]
        table = TABLES[resolution]
        has_old = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE key >= ? AND key <= ?)"  # noqa: S608
        old = [d for d in devices if self._readers.rows(has_old, _keys(resolution, d, before_ms))[0][0]]
        while old:
            self._remove_pieces(resolution, old, before_ms)
        self._swept[resolution] = before_ms

    def _remove_pieces(self, resolution: Resolution, devices: list[int], before_ms: int) -> int:
        """One slice; devices of which nothing is left are taken off."""

        def remove(cursor: sqlite3.Cursor, most: int) -> int:
            removed = 0
            while devices and removed < most:
                number = _remove_oldest_pieces(cursor, resolution, devices[0], before_ms, most - removed)
                if removed + number < most:
                    del devices[0]
                removed += number
            return removed

        return self._slices.run(self._pieces, remove)


def _remove_oldest(cursor: sqlite3.Cursor, device: int, before_ms: int, most: int) -> tuple[int, bool]:
    """At most `most` readings, counted as pruned; how many, and whether that was all."""
    end = cursor.execute(_END, (device, before_ms, most)).fetchone()
    cursor.execute(_REMOVE, (device, before_ms if end is None else end[0]))
    removed = cursor.rowcount
    sqlite_rollups.count_pruned(cursor, {device: removed})
    return removed, end is None


def _remove_oldest_pieces(
    cursor: sqlite3.Cursor, resolution: Resolution, device: int, before_ms: int, most: int
) -> int:
    table, keys = TABLES[resolution], _keys(resolution, device, before_ms)
    query = f"""DELETE FROM {table} WHERE key IN
        (SELECT key FROM {table} WHERE key >= ? AND key <= ? ORDER BY key LIMIT ?)"""  # noqa: S608
    return cursor.execute(query, (*keys, most)).rowcount


def _keys(resolution: Resolution, device: int, before_ms: int) -> tuple[int, int]:
    """The first and last key of a device's pieces that begin before a time."""
    return key_of(resolution, device, 0), key_of(resolution, device, before_ms - 1)
