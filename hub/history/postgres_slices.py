"""Work of housekeeping on PostgreSQL, one short transaction after another."""

import time
from collections.abc import Callable

from hub.history.pace import Pace
from hub.history.postgres_append import Writer
from hub.history.postgres_database import Cursor
from hub.history.sqlite_slices import WriterThread
from hub.limits.history import SLICE_PAUSE_MIN_S


class Slices:
    """Runs transactions whose size follows their duration, with a pause after each."""

    def __init__(self, writer: Writer, thread: WriterThread) -> None:
        self.writer = writer
        self._thread = thread

    def run(self, pace: Pace, work: Callable[[Cursor, int], int]) -> int:
        """One transaction that does at most `pace.amount`; returns what `work` says it has done."""
        done, duration_s = self._thread.run(self._timed, work, pace.amount)
        pace.took(duration_s, done)
        time.sleep(max(duration_s, SLICE_PAUSE_MIN_S))
        return done

    def once(self, work: Callable[[Cursor], object]) -> None:
        """One short transaction, without a pause."""

        def all_of_it(cursor: Cursor, _: int) -> int:
            work(cursor)
            return 1

        self._thread.run(self._timed, all_of_it, 1)

    def _timed(self, work: Callable[[Cursor, int], int], amount: int) -> tuple[int, float]:
        with self.writer.transaction() as cursor:
            begun_s = time.perf_counter()
            done = work(cursor, amount)
        return done, time.perf_counter() - begun_s
