"""The history in one SQLite file: one writer thread, a few readers (design section 5).

The rows of a device lie together; values are compact JSON. The writer commits with
synchronous=FULL, so what was acknowledged survives a loss of power.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec

from hub.history import sqlite_frames
from hub.history.buckets import Buckets, bucket_ms_for, raw_columns
from hub.history.merging import Newest
from hub.history.sqlite_append import Writer, decode_newest
from hub.history.sqlite_file import DatabaseFile, Readers
from hub.history.store import (
    Batch,
    Columns,
    Head,
    HistoryStore,
    Latest,
    Ledger,
    Outcome,
    RawRow,
    Size,
    StoreError,
)
from hub.limits.history import ROWS_PAGE_MAX, SQLITE_BUSY_TIMEOUT_S
from hub.protocol.frames import Frame
from hub.protocol.telemetry import Value

_P = ParamSpec("_P")
_T = TypeVar("_T")

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_ROWS: Final = """SELECT ts, received, seq, "values" FROM reading
    WHERE device = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"""
_LAST_TS: Final = "SELECT max(ts) FROM reading WHERE device = ? AND ts < ?"
_HAS: Final = "SELECT EXISTS (SELECT 1 FROM reading WHERE device = ?)"
_LATEST: Final = """SELECT device, ts, received, seq, "values" FROM latest
    WHERE device IN (SELECT value FROM json_each(?))"""
_LEDGER: Final = """SELECT device, received, stored, updated, duplicate, rejected, values_rejected, pruned,
    lost_before_hub, last_seq, holes FROM ledger WHERE device IN (SELECT value FROM json_each(?))"""
_SIZE: Final = (
    """SELECT (SELECT coalesce(sum(stored - pruned), 0) FROM ledger), (SELECT count(*) FROM frame)"""
)

_decode_values: Final = msgspec.json.Decoder(dict[str, Value]).decode
_decode_holes: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode


class SqliteStore(HistoryStore):
    """A history that owns one file and every connection to it."""

    def __init__(
        self, path: Path, frame_log_bytes: int, *, busy_timeout_s: float = SQLITE_BUSY_TIMEOUT_S
    ) -> None:
        self._file = DatabaseFile(path, busy_timeout_s)
        self._readers = Readers(self._file)
        self._writer = Writer(self._file, frame_log_bytes)
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="history-writer")

    def prepare(self) -> None:
        """Create or migrate the file; when it was deleted meanwhile, begin a new one."""
        if not self._file.path.exists():
            self._in_writer(self._writer.close)
            self._readers.drop_idle()
            self._file.forget()
        self._file.prepare()

    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch; blocks until it is on the disk."""
        return self._in_writer(self._writer.append, batch)

    def delete(self, device: int) -> int:
        """Remove everything of a device, slice by slice; appends get their turn between slices."""
        removed, finished = 0, False
        while not finished:
            num_rows, finished = self._in_writer(self._writer.delete_slice, device)
            removed += num_rows
        return removed

    def heads(self, device_type: str) -> dict[str, Head]:
        """The newest entry of each source of a type."""
        return sqlite_frames.heads(self._readers, device_type)

    def frames_page(self, device_type: str, after: Mapping[str, int], limit: int) -> list[Frame]:
        """Logged frames beyond the positions, source by source."""
        return sqlite_frames.page(self._readers, device_type, after, limit)

    def latest(self, devices: Sequence[int]) -> dict[int, Latest]:
        """The newest values of devices."""
        rows = self._readers.rows(_LATEST, (_array(devices),))
        return {
            device: Newest(ts_ms, received_ms, seq, decode_newest(values)).as_latest()
            for device, ts_ms, received_ms, seq, values in rows
        }

    def ledger(self, devices: Sequence[int]) -> dict[int, Ledger]:
        """The ledgers of devices."""
        rows = self._readers.rows(_LEDGER, (_array(devices),))
        return {row[0]: Ledger(*(*row[1:-1], _decode_holes(row[-1] or "[]"))) for row in rows}

    def has_readings(self, device: int) -> bool:
        """Whether a reading of the device is stored."""
        return bool(self._readers.rows(_HAS, (device,))[0][0])

    def read(self, device: int, metrics: Sequence[str], from_ms: int, to_ms: int, points: int) -> Columns:
        """Raw readings when at most `points` have one of the metrics, otherwise buckets made of them.

        Readings with none of the metrics are left out, and so are buckets without any reading; no
        `metrics` means all. Time grows with the readings in the range (about 3 us each), memory does not.
        """
        if points < 1:
            raise ValueError(f"points must be at least 1, not {points}.")
        rows: list[RawRow] = []
        last_ms = self._last_ts(device, to_ms)
        # Nothing beyond `last_ms` is read, so what arrives meanwhile adds no bucket.
        pages = self._pages(device, metrics, from_ms, last_ms + 1)
        for page in pages:
            rows += page
            if len(rows) > points:
                buckets = Buckets(bucket_ms_for(rows[0].ts_ms, last_ms, points), metrics)
                for part in chain([rows], pages):
                    buckets.fold(part)
                return buckets.as_columns(from_ms, to_ms)
        ts = [row.ts_ms for row in rows]
        return Columns(from_ms, to_ms, "raw", None, ts, raw_columns(rows, metrics))

    def rows_page(self, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int) -> list[RawRow]:
        """Raw readings of the range beyond `after_ms`, at most `limit` and 5,000."""
        start_ms, end_ms = _int64(max(from_ms, after_ms + 1)), _int64(to_ms)
        rows = self._readers.rows(_ROWS, (device, start_ms, end_ms, max(0, min(limit, ROWS_PAGE_MAX))))
        return [
            RawRow(ts_ms, received_ms, seq, _decode_values(text)) for ts_ms, received_ms, seq, text in rows
        ]

    def size(self) -> Size:
        """Readings by the law stored - pruned = rows, so it costs a look at each ledger, not at each row."""
        ((num_readings, num_frames),) = self._readers.rows(_SIZE)
        return Size(num_readings, num_frames, self._file.num_bytes())

    def close(self) -> None:
        """Finish the append under way and close every connection; may be called twice."""
        self._readers.close()
        try:
            self._in_writer(self._writer.close)
        except StoreError:
            return
        self._writer_thread.shutdown()

    def _in_writer(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            future = self._writer_thread.submit(call, *args, **kwargs)
        except RuntimeError:
            raise StoreError("The history is closed; open it again to write.") from None
        return future.result()

    def _pages(self, device: int, metrics: Sequence[str], from_ms: int, to_ms: int) -> Iterator[list[RawRow]]:
        chosen = set(metrics)
        after_ms = from_ms - 1
        while page := self.rows_page(device, from_ms, to_ms, after_ms, ROWS_PAGE_MAX):
            yield page if not chosen else [row for row in page if not chosen.isdisjoint(row.values)]
            if len(page) < ROWS_PAGE_MAX:
                return
            after_ms = page[-1].ts_ms

    def _last_ts(self, device: int, to_ms: int) -> int:
        """The newest time before `to_ms`; 0, which no reading has, when there is none."""
        ((last_ms,),) = self._readers.rows(_LAST_TS, (device, _int64(to_ms)))
        return last_ms or 0


def _array(devices: Sequence[int]) -> str:
    return msgspec.json.encode(list(devices)).decode()


def _int64(time_ms: int) -> int:
    """A time that SQLite can compare with; nothing is stored beyond."""
    return min(max(time_ms, _INT64_MIN), _INT64_MAX)
