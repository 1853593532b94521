"""The writer of the SQLite history: one connection, one thread, one transaction a batch."""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from hub.history import sqlite_bulk, sqlite_rollups
from hub.history.merging import Changes, Key, Newest, Row, changes, counts, renew
from hub.history.sqlite_file import DatabaseFile, is_unavailable
from hub.history.sqlite_frames import FrameLog
from hub.history.store import Arrivals, Batch, Outcome, Reading, StoreError, StoreRefusedError
from hub.limits.history import LATEST_CACHED_DEVICES
from hub.protocol.telemetry import Value

_REFUSALS: Final = (sqlite3.Error, OverflowError, ValueError)
_encode: Final = msgspec.json.encode
decode_newest: Final = msgspec.json.Decoder(dict[str, tuple[Value, int, int]]).decode
_NOTHING: Final = Arrivals()
_PRESENT: Final = """SELECT r.device, r.ts, r.received, r.seq, r."values" FROM (VALUES {rows}) AS k
    JOIN reading AS r ON r.device = k.column1 AND r.ts = k.column2"""
_INSERT: Final = "INSERT OR FAIL INTO reading VALUES {rows}"
_CHANGE: Final = """INSERT OR FAIL INTO reading VALUES {rows} ON CONFLICT (device, ts) DO UPDATE
    SET seq = excluded.seq, "values" = excluded."values" """
_LATEST: Final = 'SELECT device, ts, received, seq, "values" FROM latest WHERE device IN (VALUES {rows})'
_RENEW: Final = """INSERT OR FAIL INTO latest VALUES {rows} ON CONFLICT (device) DO UPDATE SET
    ts = excluded.ts, received = excluded.received, seq = excluded.seq, "values" = excluded."values" """
_COUNT: Final = """INSERT OR FAIL INTO ledger (device, received, stored, updated, duplicate, rejected,
    values_rejected, lost_before_hub, last_seq, holes) VALUES {rows} ON CONFLICT (device) DO UPDATE SET
    received = received + excluded.received, stored = stored + excluded.stored,
    updated = updated + excluded.updated, duplicate = duplicate + excluded.duplicate,
    rejected = rejected + excluded.rejected, values_rejected = values_rejected + excluded.values_rejected,
    lost_before_hub = lost_before_hub + excluded.lost_before_hub,
    last_seq = coalesce(excluded.last_seq, last_seq), holes = coalesce(excluded.holes, holes)"""


class Writer:
    """The one connection that changes the file, and appends by it. Used in one thread only."""

    def __init__(self, file: DatabaseFile, frame_log_bytes: int) -> None:
        self._file = file
        self._frame_log_bytes = frame_log_bytes
        self._frames = FrameLog(frame_log_bytes)
        self._connection: sqlite3.Connection | None = None
        self._newest: dict[int, Newest] = {}
        self._data_version = 0

    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch in one transaction."""
        with self.transaction() as cursor:
            outcomes, folded = self._append_readings(cursor, batch.readings)
            self._add_to_ledgers(cursor, batch, outcomes)
            sqlite_rollups.count_pruned(cursor, folded)
            self._frames.append(cursor, batch)
        return outcomes

    def forget_device(self, device: int) -> None:
        """What is remembered of a device is no longer so."""
        self._newest.pop(device, None)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        self._forget()
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    # --- the transaction ------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self, *, is_durable: bool = True) -> Iterator[sqlite3.Cursor]:
        """One immediate transaction; whatever is raised inside leaves no trace of it.

        One that is not durable need not wait for the disk: a loss of power may undo it, together with
        all that was written after it.
        """
        try:
            with self._file.explained():
                self._file.check()
                connection = self._connection = self._connection or self._file.open_writer()
                with contextlib.closing(connection.cursor()) as cursor:
                    cursor.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
                    cursor.execute("BEGIN IMMEDIATE")
                    self._forget_if_another_wrote(cursor)
                    yield cursor
                    cursor.execute("COMMIT")
        except StoreRefusedError:
            self._roll_back()
            raise
        except BaseException as error:
            self._roll_back()
            self.close()
            if isinstance(error, sqlite3.Error | OverflowError | ValueError):
                raise StoreError(f"The history could not write what belongs to a batch: {error}.") from error
            raise

    def _roll_back(self) -> None:
        self._forget()
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self.close()

    def _forget_if_another_wrote(self, cursor: sqlite3.Cursor) -> None:
        # Optimization: latest values are remembered while nobody else writes to the file, which
        # saves about 3 of 26 us CPU a row.
        (data_version,) = cursor.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._newest) > LATEST_CACHED_DEVICES:
            self._newest = {}
            self._data_version = data_version

    def _forget(self) -> None:
        self._newest = {}
        self._data_version = 0
        self._frames = FrameLog(self._frame_log_bytes)

    # --- readings and latest --------------------------------------------------------------

    def _append_readings(
        self, cursor: sqlite3.Cursor, readings: Iterable[Reading]
    ) -> tuple[list[Outcome], Counter[int]]:
        """Also how many readings of each device went into rollups only."""
        try:
            change, folded = self._store(cursor, readings)
        except _REFUSALS as error:
            if is_unavailable(error):
                raise
            raise StoreRefusedError(f"The history cannot hold these readings: {error}.") from error
        self._renew_latest(cursor, readings, change.outcomes)
        return change.outcomes, folded

    def _store(self, cursor: sqlite3.Cursor, readings: Iterable[Reading]) -> tuple[Changes, Counter[int]]:
        keys = list({(reading.device, reading.ts_ms): None for reading in readings})
        found = sqlite_bulk.read(cursor, _PRESENT, keys)
        present: dict[Key, Row] = {(row[0], row[1]): Row(*row) for row in found}
        change = changes(readings, present)
        folded = sqlite_rollups.take_late(cursor, change)
        sqlite_bulk.write(cursor, _INSERT, list(change.new.values()))
        sqlite_bulk.write(cursor, _CHANGE, list(change.changed.values()))
        return change, folded

    def _renew_latest(
        self, cursor: sqlite3.Cursor, readings: Iterable[Reading], outcomes: Iterable[Outcome]
    ) -> None:
        """A repeat changes nothing, so it is left out: a reading that comes again is no newer for it."""
        pairs = zip(readings, outcomes, strict=True)
        effective = [reading for reading, outcome in pairs if outcome is not Outcome.DUPLICATE]
        devices = dict.fromkeys(reading.device for reading in effective)
        self._remember(cursor, [device for device in devices if device not in self._newest])
        for reading in effective:
            self._newest[reading.device] = renew(self._newest.get(reading.device), reading)
        rows = [(device, *_row_of(self._newest[device])) for device in devices]
        sqlite_bulk.write(cursor, _RENEW, rows)

    def _remember(self, cursor: sqlite3.Cursor, devices: list[int]) -> None:
        rows = sqlite_bulk.read(cursor, _LATEST, [(device,) for device in devices])
        for device, ts_ms, received_ms, seq, values in rows:
            self._newest[device] = Newest(ts_ms, received_ms, seq, decode_newest(values))

    # --- ledger ---------------------------------------------------------------------------

    def _add_to_ledgers(self, cursor: sqlite3.Cursor, batch: Batch, outcomes: list[Outcome]) -> None:
        counted = counts(batch.readings, outcomes)
        rows = []
        for device in dict.fromkeys([*counted, *batch.arrivals]):
            arrived = batch.arrivals.get(device, _NOTHING)
            holes = None if arrived.holes is None else _encode(arrived.holes).decode()
            rows.append(
                (
                    *(device, arrived.received, *counted.get(device, (0, 0, 0)), arrived.rejected),
                    *(arrived.values_rejected, arrived.lost_before_hub, arrived.last_seq, holes),
                )
            )
        sqlite_bulk.write(cursor, _COUNT, rows)


def _row_of(newest: Newest) -> tuple[int, int, int | None, str]:
    return newest.ts_ms, newest.received_ms, newest.seq, _encode(newest.values).decode()
