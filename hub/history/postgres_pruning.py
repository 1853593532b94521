"""Removing from PostgreSQL what is no longer kept, slice by slice; weeks with nothing left are dropped."""

from collections.abc import Mapping
from typing import Final, LiteralString, NamedTuple

from hub.history import postgres_rollups
from hub.history.pace import Pace
from hub.history.postgres_database import Cursor, Database
from hub.history.postgres_partitions import drop_empty_weeks
from hub.history.postgres_slices import Slices
from hub.history.rollups import DAY_MS, HOUR_MS
from hub.history.spans import Resolution
from hub.history.store import Cutoffs
from hub.limits.history import (
    DELETE_PIECES_SLICE,
    DELETE_PIECES_SLICE_MAX,
    DELETE_SLICE_ROWS,
    DELETE_SLICE_ROWS_MAX,
)

_ALL_TIME: Final = 2**63 - 1
_DEVICES: Final = "SELECT device FROM ledger ORDER BY device"
_KEPT_FROM: Final = "SELECT minutes_from, hours_from FROM rollup_state"
_KEEP_FROM: Final = """UPDATE rollup_state SET minutes_from = greatest(minutes_from, %s),
    hours_from = greatest(hours_from, %s)"""
_END: Final = "SELECT ts FROM reading WHERE device = %s AND ts < %s ORDER BY ts LIMIT 1 OFFSET %s"
_REMOVE: Final = "DELETE FROM reading WHERE device = %s AND ts < %s"
_OLD: Final = "SELECT EXISTS (SELECT 1 FROM reading WHERE device = %s AND ts < %s)"
_CLOSE: Final = """UPDATE ledger SET closed_to = greatest(closed_to, least(
    %s, (SELECT rolled_to FROM rollup_state),
    (SELECT min(hour) FROM dirty WHERE dirty.device = ledger.device)))
    WHERE device = %s RETURNING closed_to"""
_HAS_OLD: Final[dict[Resolution, LiteralString]] = {
    "1m": "SELECT EXISTS (SELECT 1 FROM rollup_1m WHERE device = %s AND start < %s)",
    "1h": "SELECT EXISTS (SELECT 1 FROM rollup_1h WHERE device = %s AND start < %s)",
}
_REMOVE_PIECES: Final[dict[Resolution, LiteralString]] = {
    "1m": """DELETE FROM rollup_1m WHERE device = %(device)s AND start IN
        (SELECT start FROM rollup_1m WHERE device = %(device)s AND start < %(end)s
        ORDER BY start LIMIT %(most)s)""",
    "1h": """DELETE FROM rollup_1h WHERE device = %(device)s AND start IN
        (SELECT start FROM rollup_1h WHERE device = %(device)s AND start < %(end)s
        ORDER BY start LIMIT %(most)s)""",
}
_FORGET: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM reading WHERE device = %s",
    "DELETE FROM rollup_1m WHERE device = %s",
    "DELETE FROM rollup_1h WHERE device = %s",
    "DELETE FROM dirty WHERE device = %s",
    "DELETE FROM latest WHERE device = %s",
    "DELETE FROM ledger WHERE device = %s",
)


class _Old(NamedTuple):
    """Readings of a device that may go."""

    device: int
    before_ms: int


class Pruning:
    """Removes readings, rollups and whole devices."""

    def __init__(self, database: Database, slices: Slices) -> None:
        self._database = database
        self._slices = slices
        self._rows = Pace(DELETE_SLICE_ROWS, DELETE_SLICE_ROWS_MAX)
        self._pieces = Pace(DELETE_PIECES_SLICE, DELETE_PIECES_SLICE_MAX)
        self._swept: dict[Resolution, int] = {}

    def prune(self, cutoffs: Cutoffs) -> int:
        """HistoryStore.prune."""
        removed = self._prune_readings(cutoffs.raw)
        minutes_from = cutoffs.minutes - cutoffs.minutes % HOUR_MS
        hours_from = cutoffs.hours - cutoffs.hours % DAY_MS
        if (minutes_from, hours_from) > (0, 0):
            self._slices.once(lambda cursor: _keep_from(cursor, minutes_from, hours_from))
        ((minutes_kept, hours_kept),) = self._database.rows(_KEPT_FROM)
        self._prune_rollups("1m", minutes_kept)
        self._prune_rollups("1h", hours_kept)
        return removed

    def delete(self, device: int) -> int:
        """HistoryStore.delete. Each slice counts as pruned, so the law holds if the next never comes."""
        removed = 0
        while number := self._remove([_Old(device, _ALL_TIME)]):
            removed += number
        for resolution in _HAS_OLD:
            while self._remove_pieces(resolution, [device], _ALL_TIME):
                pass
        self._slices.once(lambda cursor: self._forget(cursor, device))
        return removed

    # --- readings ---------------------------------------------------------------------------

    def _prune_readings(self, cutoffs_ms: Mapping[int, int]) -> int:
        old: list[_Old] = []
        # In the order in which appends take ledgers.
        for device, cutoff_ms in sorted(cutoffs_ms.items()):
            before_ms = cutoff_ms - cutoff_ms % HOUR_MS
            if self._database.rows(_OLD, (device, before_ms))[0][0]:
                old.append(_Old(device, self._close(device, before_ms)))
        removed = 0
        while old:
            removed += self._remove(old)
        if removed:
            self._slices.once(lambda cursor: drop_empty_weeks(cursor, max(cutoffs_ms.values())))
        return removed

    def _close(self, device: int, before_ms: int) -> int:
        """Close the hours before a time, as far as they are rolled up and clean; returns how far."""
        closed_to = 0

        def close(cursor: Cursor) -> None:
            nonlocal closed_to
            postgres_rollups.stop_appends(cursor)
            (closed_to,) = cursor.execute(_CLOSE, (before_ms, device)).fetchone() or (0,)

        self._slices.once(close)
        return closed_to

    def _remove(self, old: list[_Old]) -> int:
        """One slice of what may go, device by device; what is finished is taken off."""
        removed = 0

        def remove(cursor: Cursor, most: int) -> int:
            nonlocal removed
            while old and removed < most:
                number, is_all = _remove_oldest(cursor, *old[0], most - removed)
                removed += number
                if is_all:
                    del old[0]
            return removed

        self._slices.run(self._rows, remove)
        return removed

    def _forget(self, cursor: Cursor, device: int) -> None:
        """All that is left of a device; readings that came since the last slice too."""
        for statement in _FORGET:
            cursor.execute(statement, (device,))
        self._slices.writer.forget_device(device)

    # --- rollups ----------------------------------------------------------------------------

    def _prune_rollups(self, resolution: Resolution, before_ms: int) -> None:
        """Once for each cutoff, and once more in each process: the one before may have been interrupted."""
        if self._swept.get(resolution, 0) >= before_ms:
            return
        devices = [device for (device,) in self._database.rows(_DEVICES)]
        old = [one for one in devices if self._database.rows(_HAS_OLD[resolution], (one, before_ms))[0][0]]
        while old:
            self._remove_pieces(resolution, old, before_ms)
        self._swept[resolution] = before_ms

    def _remove_pieces(self, resolution: Resolution, devices: list[int], before_ms: int) -> int:
        """One slice; devices of which nothing is left are taken off."""

        def remove(cursor: Cursor, most: int) -> int:
            removed = 0
            while devices and removed < most:
                wanted = {"device": devices[0], "end": before_ms, "most": most - removed}
                number = cursor.execute(_REMOVE_PIECES[resolution], wanted).rowcount
                if removed + number < most:
                    del devices[0]
                removed += number
            return removed

        return self._slices.run(self._pieces, remove)


def _keep_from(cursor: Cursor, minutes_from: int, hours_from: int) -> None:
    postgres_rollups.stop_appends(cursor)
    cursor.execute(_KEEP_FROM, (minutes_from, hours_from))


def _remove_oldest(cursor: Cursor, device: int, before_ms: int, most: int) -> tuple[int, bool]:
    """At most `most` readings, counted as pruned; how many, and whether that was all."""
    end = cursor.execute(_END, (device, before_ms, most)).fetchone()
    removed = cursor.execute(_REMOVE, (device, before_ms if end is None else end[0])).rowcount
    postgres_rollups.count_pruned(cursor, {device: removed})
    return removed, end is None
