"""Rolling up in SQLite: readings are read beside the writer, which only stores what they come to."""

import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from hub.history import sqlite_rollups
from hub.history.pace import Pace
from hub.history.rollups import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, minutes_of, pack
from hub.history.sqlite_file import Readers
from hub.history.sqlite_rollups import Hour
from hub.history.sqlite_rows import rows_page
from hub.history.sqlite_slices import Slices
from hub.history.store import RawRow, Rolled
from hub.limits.history import (
    ROLL_DAYS_SLICE,
    ROLL_DAYS_SLICE_MAX,
    ROLL_HOURS_LISTED,
    ROLL_MARKS_SLICE,
    ROLL_MARKS_SLICE_MAX,
    ROWS_PAGE_MAX,
    SLICE_AIM_S,
)

_STATE: Final = "SELECT rolling_to, rolled_to FROM rollup_state"
_BEGIN_TO: Final = "UPDATE rollup_state SET rolling_to = ?"
_FINISH_TO: Final = "UPDATE rollup_state SET rolled_to = ?"
_DEVICES: Final = "SELECT device FROM ledger ORDER BY device"
_HOURS: Final = """WITH RECURSIVE found(ts) AS (
    SELECT min(ts) FROM reading WHERE device = :device AND ts >= :start AND ts < :end
    UNION ALL
    SELECT (SELECT min(ts) FROM reading WHERE device = :device
        AND ts >= (found.ts / :hour + 1) * :hour AND ts < :end)
    FROM found WHERE found.ts IS NOT NULL
) SELECT ts / :hour * :hour FROM found WHERE ts IS NOT NULL"""
_DIRTY: Final = """SELECT device, hour, mark FROM dirty
    WHERE (device, hour) {side} (?, ?) AND hour < ? ORDER BY device, hour LIMIT ?"""


class _Day(NamedTuple):
    """The dirty hours of a day of a device, made anew."""

    device: int
    day_ms: int
    hours: list[Hour]


class Rolling:
    """Rolls up the hours that are over, and those again that changed since."""

    def __init__(self, readers: Readers, slices: Slices) -> None:
        self._readers = readers
        self._slices = slices
        self._marks = Pace(ROLL_MARKS_SLICE, ROLL_MARKS_SLICE_MAX)
        self._days = Pace(ROLL_DAYS_SLICE, ROLL_DAYS_SLICE_MAX)
        self._position = (0, 0)

    def roll(self, until_ms: int, budget_s: float) -> Rolled:
        """HistoryStore.roll."""
        until_s = time.monotonic() + budget_s
        rolled_to = self._advance(until_ms - until_ms % HOUR_MS)
        dirty = self._dirty(rolled_to)
        waiting: list[_Day] = []
        num_hours, is_finished = 0, len(dirty) < ROLL_HOURS_LISTED
        for (device, day_ms), hours in itertools.groupby(
            dirty, lambda one: (one[0], one[1] - one[1] % DAY_MS)
        ):
            if time.monotonic() >= until_s:
                is_finished = False
                break
            begun_s = time.monotonic()
            waiting.append(_Day(device, day_ms, [self._anew(*hour) for hour in hours]))
            # In a hub of one process everybody else needs the interpreter too.
            time.sleep(time.monotonic() - begun_s)
            while len(waiting) >= self._days.amount:
                num_hours += self._write(waiting)
        while waiting:
            num_hours += self._write(waiting)
        return Rolled(num_hours, is_finished)

    # --- which hours ------------------------------------------------------------------------

    def _advance(self, target: int) -> int:
        """Mark all hours with readings up to `target`, and move to there; returns how far rollups go.

        Appends mark what they change from the first step on, so nothing escapes between the two.
        """
        ((rolling_to, rolled_to),) = self._readers.rows(_STATE)
        if target <= rolled_to:
            return int(rolled_to)
        end: int = max(target, rolling_to)
        self._slices.once(lambda cursor: cursor.execute(_BEGIN_TO, (end,)))
        found = self._hours_with_readings(rolled_to, end)
        while marks := list(itertools.islice(found, self._marks.amount)):
            self._slices.run(self._marks, lambda cursor, _, marks=marks: _mark(cursor, marks))  # type: ignore[misc]
        self._slices.once(lambda cursor: cursor.execute(_FINISH_TO, (end,)))
        return end

    def _hours_with_readings(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for (device,) in self._readers.rows(_DEVICES):
            wanted = {"device": device, "start": start, "end": end, "hour": HOUR_MS}
            for (hour,) in self._readers.rows(_HOURS, wanted):
                yield device, hour

    def _dirty(self, before_ms: int) -> Sequence[tuple[int, int, int]]:
        """Dirty hours, beginning after the one with which the last call ended."""
        found: list[tuple[int, int, int]] = []
        for side in (">", "<="):
            limit = ROLL_HOURS_LISTED - len(found)
            found += self._readers.rows(_DIRTY.format(side=side), (*self._position, before_ms, limit))
        return found

    # --- making them anew --------------------------------------------------------------------

    def _anew(self, device: int, hour_ms: int, mark: int) -> Hour:
        minutes = minutes_of(self._rows(device, hour_ms))
        piece = pack(hour_ms, MINUTE_MS, minutes) if minutes else None
        return Hour(hour_ms, mark, piece, hour_of(minutes))

    def _rows(self, device: int, hour_ms: int) -> Iterator[RawRow]:
        after_ms = hour_ms - 1
        while page := rows_page(self._readers, device, hour_ms, hour_ms + HOUR_MS, after_ms, ROWS_PAGE_MAX):
            yield from page
            after_ms = page[-1].ts_ms

    def _write(self, waiting: list[_Day]) -> int:
        """Store some of the days that wait and take them off; returns the number of hours."""
        num_hours = 0

        def write(cursor: sqlite3.Cursor, most: int) -> int:
            nonlocal num_hours
            until_s = time.perf_counter() + SLICE_AIM_S
            for number, day in enumerate(waiting[:most]):
                if number and time.perf_counter() >= until_s:
                    return number
                num_hours += sqlite_rollups.write_day(cursor, *day)
            return len(waiting[:most])

        done = self._slices.run(self._days, write)
        last = waiting[done - 1]
        self._position = (last.device, last.hours[-1].hour_ms)
        del waiting[:done]
        return num_hours


def _mark(cursor: sqlite3.Cursor, hours: list[tuple[int, int]]) -> int:
    sqlite_rollups.mark(cursor, hours)
    return len(hours)
