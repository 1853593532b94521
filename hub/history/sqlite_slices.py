"""Work of housekeeping on the SQLite file, one short transaction after another."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from hub.history.pace import Pace
from hub.history.sqlite_append import Writer
from hub.history.sqlite_file import DatabaseFile
from hub.history.store import StoreError
from hub.limits.history import SLICE_PAUSE_MIN_S, SLICES_A_CHECKPOINT

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WriterThread:
    """The one thread in which the writer's connection is used; calls are done in the order they came."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="history-writer")

    def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do it there and wait for it. StoreError when the thread has ended."""
        try:
            future = self._executor.submit(call, *args, **kwargs)
        except RuntimeError:
            raise StoreError("The history is closed; open it again to write.") from None
        return future.result()

    def end(self) -> None:
        """Finish what is under way; nothing more is taken."""
        self._executor.shutdown()


class Slices:
    """Runs transactions whose size follows their duration, with a pause after each.

    The pause is for another process: a writer that waits for SQLite's lock asks for it now and then,
    and would starve beside one that takes it again at once. Checkpoints are made here, beside the
    writer: when it has to make one itself, after so many changes, appends wait half a second.
    """

    def __init__(self, file: DatabaseFile, writer: Writer, thread: WriterThread) -> None:
        self.writer = writer
        self.longest_s = 0.0
        self._file = file
        self._thread = thread
        self._num_slices = 0

    def run(self, pace: Pace, work: Callable[[sqlite3.Cursor, int], int]) -> int:
        """One transaction that does at most `pace.amount`; returns what `work` says it has done."""
        done, duration_s = self._thread.run(self._timed, work, pace.amount)
        pace.took(duration_s, done)
        self.longest_s = max(self.longest_s, duration_s)
        self._num_slices += 1
        if self._num_slices % SLICES_A_CHECKPOINT == 0:
            self._file.checkpoint()
        time.sleep(max(duration_s, SLICE_PAUSE_MIN_S))
        return done

    def once(self, work: Callable[[sqlite3.Cursor], object]) -> None:
        """One short transaction, without a pause."""

        def all_of_it(cursor: sqlite3.Cursor, _: int) -> int:
            work(cursor)
            return 1

        _, duration_s = self._thread.run(self._timed, all_of_it, 1)
        self.longest_s = max(self.longest_s, duration_s)

    def _timed(self, work: Callable[[sqlite3.Cursor, int], int], amount: int) -> tuple[int, float]:
        # What a loss of power undoes is due again afterwards.
        with self.writer.transaction(is_durable=False) as cursor:
            # From here on nobody else can write.
            begun_s = time.perf_counter()
            done = work(cursor, amount)
        return done, time.perf_counter() - begun_s
