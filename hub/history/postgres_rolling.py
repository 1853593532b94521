"""Rolling up on PostgreSQL: readings are read beside the writer, which only stores what they come to."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from hub.history import postgres_rollups
from hub.history.pace import Pace
from hub.history.postgres_database import Cursor, Database
from hub.history.postgres_rollups import Hour
from hub.history.postgres_rows import rows_page
from hub.history.postgres_slices import Slices
from hub.history.rollups import DAY_MS, HOUR_MS, MINUTE_MS, hour_of, minutes_of, pack
from hub.history.store import RawRow, Rolled
from hub.limits.history import (
    ROLL_DAYS_SLICE,
    ROLL_DAYS_SLICE_MAX,
    ROLL_HOURS_LISTED,
    ROLL_MARKS_SLICE,
    ROLL_MARKS_SLICE_MAX,
    ROWS_PAGE_MAX,
)

_STATE: Final = "SELECT rolling_to, rolled_to FROM rollup_state"
_BEGIN_TO: Final = "UPDATE rollup_state SET rolling_to = greatest(rolling_to, %s)"
_FINISH_TO: Final = "UPDATE rollup_state SET rolled_to = greatest(rolled_to, %s)"
_DEVICES: Final = "SELECT device FROM ledger ORDER BY device"
_HOURS: Final = """WITH RECURSIVE found(ts) AS (
    SELECT min(ts) FROM reading WHERE device = %(device)s AND ts >= %(start)s AND ts < %(end)s
    UNION ALL
    SELECT (SELECT min(ts) FROM reading WHERE device = %(device)s
        AND ts >= (found.ts / %(hour)s + 1) * %(hour)s AND ts >= %(start)s AND ts < %(end)s)
    FROM found WHERE found.ts IS NOT NULL
) SELECT ts / %(hour)s * %(hour)s FROM found WHERE ts IS NOT NULL"""
_DIRTY_BEYOND: Final = """SELECT device, hour, mark FROM dirty
    WHERE (device, hour) > (%s, %s) AND hour < %s ORDER BY device, hour LIMIT %s"""
_DIRTY_UP_TO: Final = """SELECT device, hour, mark FROM dirty
    WHERE (device, hour) <= (%s, %s) AND hour < %s ORDER BY device, hour LIMIT %s"""


class _Day(NamedTuple):
    """The dirty hours of a day of a device, made anew."""

    device: int
    day_ms: int
    hours: list[Hour]


class Rolling:
    """Rolls up the hours that are over, and those again that changed since."""

    def __init__(self, database: Database, slices: Slices) -> None:
        self._database = database
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
        for (device, day_ms), hours in itertools.groupby(dirty, _day_of):
            if time.monotonic() >= until_s:
                is_finished = False
                break
            waiting.append(_Day(device, day_ms, [self._anew(*hour) for hour in hours]))
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
        ((rolling_to, rolled_to),) = self._database.rows(_STATE)
        if target <= rolled_to:
            return int(rolled_to)
        end: int = max(target, rolling_to)
        self._slices.once(lambda cursor: _begin_to(cursor, end))
        found = self._hours_with_readings(rolled_to, end)
        while marks := sorted(itertools.islice(found, self._marks.amount)):
            self._slices.run(self._marks, lambda cursor, _, marks=marks: _mark(cursor, marks))  # type: ignore[misc]
        self._slices.once(lambda cursor: cursor.execute(_FINISH_TO, (end,)))
        return end

    def _hours_with_readings(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for (device,) in self._database.rows(_DEVICES):
            wanted = {"device": device, "start": start, "end": end, "hour": HOUR_MS}
            for (hour,) in self._database.rows(_HOURS, wanted):
                yield device, hour

    def _dirty(self, before_ms: int) -> Sequence[tuple[int, int, int]]:
        """Dirty hours, beginning after the one with which the last call ended."""
        beyond = self._database.rows(_DIRTY_BEYOND, (*self._position, before_ms, ROLL_HOURS_LISTED))
        rest = ROLL_HOURS_LISTED - len(beyond)
        return [*beyond, *self._database.rows(_DIRTY_UP_TO, (*self._position, before_ms, rest))]

    # --- making them anew --------------------------------------------------------------------

    def _anew(self, device: int, hour_ms: int, mark: int) -> Hour:
        minutes = minutes_of(self._rows(device, hour_ms))
        piece = pack(hour_ms, MINUTE_MS, minutes) if minutes else None
        return Hour(hour_ms, mark, piece, hour_of(minutes))

    def _rows(self, device: int, hour_ms: int) -> Iterator[RawRow]:
        after_ms = hour_ms - 1
        while page := rows_page(self._database, device, hour_ms, hour_ms + HOUR_MS, after_ms, ROWS_PAGE_MAX):
            yield from page
            if len(page) < ROWS_PAGE_MAX:
                return
            after_ms = page[-1].ts_ms

    def _write(self, waiting: list[_Day]) -> int:
        """Store some of the days that wait and take them off; returns the number of hours."""
        num_hours = 0

        def write(cursor: Cursor, most: int) -> int:
            nonlocal num_hours
            # In the order in which appends mark hours, so that the two cannot wait for each other.
            for day in sorted(waiting[:most], key=lambda one: (one.device, one.day_ms)):
                num_hours += postgres_rollups.write_day(cursor, *day)
            return len(waiting[:most])

        done = self._slices.run(self._days, write)
        last = waiting[done - 1]
        self._position = (last.device, last.hours[-1].hour_ms)
        del waiting[:done]
        return num_hours


def _day_of(dirty: tuple[int, int, int]) -> tuple[int, int]:
    device, hour_ms, _ = dirty
    return device, hour_ms - hour_ms % DAY_MS


def _begin_to(cursor: Cursor, end: int) -> None:
    postgres_rollups.stop_appends(cursor)
    cursor.execute(_BEGIN_TO, (end,))


def _mark(cursor: Cursor, hours: list[tuple[int, int]]) -> int:
    postgres_rollups.mark(cursor, hours)
    return len(hours)
