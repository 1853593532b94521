"""The history on PostgreSQL: one connection that writes, a few that read (design section 5)."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from hub.history import postgres_frames, postgres_rows, reading
from hub.history.merging import Newest
from hub.history.postgres_append import Writer, decode_newest
from hub.history.postgres_database import Database
from hub.history.postgres_pruning import Pruning
from hub.history.postgres_rolling import Rolling
from hub.history.postgres_slices import Slices
from hub.history.reading import Extent
from hub.history.spans import Coverage, Resolution
from hub.history.sqlite_slices import WriterThread
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
from hub.protocol.frames import Frame

SCHEMA: Final = "history"
"""Beside the registry's tables when both are in one database."""

_ALL_TIME: Final = 2**62
_HAS: Final = """SELECT EXISTS (SELECT 1 FROM reading WHERE device = %(device)s)
    OR EXISTS (SELECT 1 FROM rollup_1h WHERE device = %(device)s)"""
_LATEST: Final = """SELECT device, ts, received, seq, "values"::text FROM latest
    WHERE device = ANY(%s::bigint[])"""
_LEDGER: Final = """SELECT device, received, stored, updated, duplicate, rejected, values_rejected, pruned,
    lost_before_hub, last_seq, holes::text FROM ledger WHERE device = ANY(%s::bigint[])"""
_SIZE: Final = """SELECT (SELECT coalesce(sum(stored - pruned), 0)::bigint FROM ledger),
    (SELECT count(*) FROM frame WHERE id > (SELECT gone FROM frame_log)),
    (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r')"""

_decode_holes: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode


class PostgresStore(HistoryStore):
    """A history that owns one schema of a database and every connection to it.

    `timeout_s` bounds how long a connection or a lock is waited for.
    """

    def __init__(
        self, url: str, frame_log_bytes: int, *, schema: str = SCHEMA, timeout_s: float | None = None
    ) -> None:
        self._database = Database(url, schema, timeout_s)
        self._writer = Writer(self._database, frame_log_bytes)
        self._writer_thread = WriterThread()
        slices = Slices(self._writer, self._writer_thread)
        self._rolling = Rolling(self._database, slices)
        self._pruning = Pruning(self._database, slices)

    def prepare(self) -> None:
        """Create or migrate the tables."""
        self._database.prepare()

    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch; blocks until it is on the server's disk."""
        return self._writer_thread.run(self._writer.append, batch)

    def delete(self, device: int) -> int:
        """Remove everything of a device, slice by slice; appends get their turn between slices."""
        return self._pruning.delete(device)

    def heads(self, device_type: str) -> dict[str, Head]:
        """The newest entry of each source of a type."""
        return postgres_frames.heads(self._database, device_type)

    def frames_page(self, device_type: str, after: Mapping[str, int], limit: int) -> list[Frame]:
        """Logged frames beyond the positions, source by source."""
        return postgres_frames.page(self._database, device_type, after, limit)

    def latest(self, devices: Sequence[int]) -> dict[int, Latest]:
        """The newest values of devices."""
        rows = self._database.rows(_LATEST, (list(devices),))
        return {
            device: Newest(ts_ms, received_ms, seq, decode_newest(values)).as_latest()
            for device, ts_ms, received_ms, seq, values in rows
        }

    def ledger(self, devices: Sequence[int]) -> dict[int, Ledger]:
        """The ledgers of devices."""
        rows = self._database.rows(_LEDGER, (list(devices),))
        return {row[0]: Ledger(*(*row[1:-1], _decode_holes(row[-1] or "[]"))) for row in rows}

    def has_readings(self, device: int) -> bool:
        """Whether a reading of the device is stored, or was."""
        return bool(self._database.rows(_HAS, {"device": device})[0][0])

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

    def read(self, device: int, metrics: Sequence[str], from_ms: int, to_ms: int, points: int) -> Columns:
        """Few readings as they are, otherwise buckets (`hub.history.reading`)."""
        return reading.read(self, device, metrics, from_ms, to_ms, points)

    def rows_page(self, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int) -> list[RawRow]:
        """Raw readings of the range beyond `after_ms`, at most `limit` and 5,000."""
        return postgres_rows.rows_page(self._database, device, from_ms, to_ms, after_ms, limit)

    def coverage(self, device: int, from_ms: int, to_ms: int) -> Coverage:
        """What is kept of a device."""
        return postgres_rows.coverage(self._database, device, from_ms, to_ms)

    def extent(self, device: int, from_ms: int, to_ms: int, closed_to: int) -> Extent | None:
        """When its first and last reading of a range may be."""
        return postgres_rows.extent(self._database, device, from_ms, to_ms, closed_to)

    def pieces(
        self, resolution: Resolution, device: int, from_ms: int, to_ms: int
    ) -> Sequence[tuple[int, bytes]]:
        """Pieces of rollups that begin in the range."""
        return postgres_rows.pieces(self._database, resolution, device, from_ms, to_ms)

    def size(self) -> Size:
        """Readings by the law stored - pruned = rows, so it costs a look at each ledger, not at each row."""
        ((num_readings, num_frames, num_bytes),) = self._database.rows(_SIZE)
        return Size(num_readings, num_frames, num_bytes)

    def close(self) -> None:
        """Finish the append under way and close every connection; may be called twice."""
        self._database.close()
        try:
            self._writer_thread.run(self._writer.close)
        except StoreError:
            return
        self._writer_thread.end()
