"""The history in one SQLite file: one writer thread, a few readers (design section 5).

The rows of a device lie together; values are compact JSON. The writer commits with
synchronous=FULL, so what was acknowledged survives a loss of power.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hub.history import reading, sqlite_frames, sqlite_rows
from hub.history.merging import Newest
from hub.history.reading import Extent
from hub.history.spans import Coverage, Resolution
from hub.history.sqlite_append import Writer, decode_newest
from hub.history.sqlite_file import DatabaseFile, Readers
from hub.history.sqlite_pruning import Pruning
from hub.history.sqlite_rolling import Rolling
from hub.history.sqlite_rollups import key_of
from hub.history.sqlite_slices import Slices, WriterThread
from hub.history.store import (
    Batch,
    Columns,
    Cutoffs,
    Head,
    HistoryStore,
    Latest,
    Ledger,
    Outcome,
    RawRow,
    Rolled,
    RollupState,
    Size,
    StoreError,
)
from hub.limits.history import SQLITE_BUSY_TIMEOUT_S
from hub.protocol.frames import Frame

_ALL_TIME: Final = 2**62
_HAS: Final = """SELECT EXISTS (SELECT 1 FROM reading WHERE device = ?)
    OR EXISTS (SELECT 1 FROM rollup_1h WHERE key >= ? AND key < ?)"""
_LATEST: Final = """SELECT device, ts, received, seq, "values" FROM latest
    WHERE device IN (SELECT value FROM json_each(?))"""
_LEDGER: Final = """SELECT device, received, stored, updated, duplicate, rejected, values_rejected, pruned,
    lost_before_hub, last_seq, holes FROM ledger WHERE device IN (SELECT value FROM json_each(?))"""
_SIZE: Final = (
    """SELECT (SELECT coalesce(sum(stored - pruned), 0) FROM ledger), (SELECT count(*) FROM frame)"""
)

_decode_holes: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode


class SqliteStore(HistoryStore):
    """A history that owns one file and every connection to it."""

    def __init__(
        self, path: Path, frame_log_bytes: int, *, busy_timeout_s: float = SQLITE_BUSY_TIMEOUT_S
    ) -> None:
        self._file = DatabaseFile(path, busy_timeout_s)
        self._readers = Readers(self._file)
        self._writer = Writer(self._file, frame_log_bytes)
        self._writer_thread = WriterThread()
        self._slices = Slices(self._file, self._writer, self._writer_thread)
        self._rolling = Rolling(self._readers, self._slices)
        self._pruning = Pruning(self._readers, self._slices)

    def prepare(self) -> None:
        """Create or migrate the file; when it was deleted meanwhile, begin a new one."""
        if not self._file.path.exists():
            self._writer_thread.run(self._writer.close)
            self._readers.drop_idle()
            self._file.forget()
        self._file.prepare()

    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch; blocks until it is on the disk."""
        return self._writer_thread.run(self._writer.append, batch)

    def delete(self, device: int) -> int:
        """Remove everything of a device, slice by slice; appends get their turn between slices."""
        return self._pruning.delete(device)

    def roll(self, until_ms: int, budget_s: float) -> Rolled:
        """Roll up what is over and what changed since; readings are read beside the writer."""
        return self._rolling.roll(until_ms, budget_s)

    def prune(self, cutoffs: Cutoffs) -> int:
        """Remove what is no longer kept, slice by slice."""
        return self._pruning.prune(cutoffs)

    def rollup_state(self, device: int) -> RollupState:
        """How far the device is rolled up, and which hours are dirty."""
        found = self.coverage(device, 0, _ALL_TIME)
        return RollupState(found.rolled_to, found.closed_to, found.dirty)

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
        """Whether a reading of the device is stored, or was."""
        keys = key_of("1h", device, 0), key_of("1h", device + 1, 0)
        return bool(self._readers.rows(_HAS, (device, *keys))[0][0])

    def read(self, device: int, metrics: Sequence[str], from_ms: int, to_ms: int, points: int) -> Columns:
        """Few readings as they are, otherwise buckets (`hub.history.reading`)."""
        return reading.read(self, device, metrics, from_ms, to_ms, points)

    def rows_page(self, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int) -> list[RawRow]:
        """Raw readings of the range beyond `after_ms`, at most `limit` and 5,000."""
        return sqlite_rows.rows_page(self._readers, device, from_ms, to_ms, after_ms, limit)

    def coverage(self, device: int, from_ms: int, to_ms: int) -> Coverage:
        """What is kept of a device."""
        return sqlite_rows.coverage(self._readers, device, from_ms, to_ms)

    def extent(self, device: int, from_ms: int, to_ms: int, closed_to: int) -> Extent | None:
        """When its first and last reading of a range may be."""
        return sqlite_rows.extent(self._readers, device, from_ms, to_ms, closed_to)

    def pieces(
        self, resolution: Resolution, device: int, from_ms: int, to_ms: int
    ) -> Sequence[tuple[int, bytes]]:
        """Pieces of rollups that begin in the range."""
        return sqlite_rows.pieces(self._readers, resolution, device, from_ms, to_ms)

    def size(self) -> Size:
        """Readings by the law stored - pruned = rows, so it costs a look at each ledger, not at each row."""
        ((num_readings, num_frames),) = self._readers.rows(_SIZE)
        return Size(num_readings, num_frames, self._file.num_bytes())

    def close(self) -> None:
        """Finish the append under way and close every connection; may be called twice."""
        self._readers.close()
        try:
            self._writer_thread.run(self._writer.close)
        except StoreError:
            return
        self._writer_thread.end()


def _array(devices: Sequence[int]) -> str:
    return msgspec.json.encode(list(devices)).decode()
