"""The writer of the PostgreSQL history: one connection, one thread, one transaction a batch.

Other processes may append at the same time. Every statement takes its rows in the order of their
keys, and the tables come in one order, so two writers wait for each other at most once.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import psycopg

from hub.history import postgres_rollups
from hub.history.merging import Changes, Key, Newest, Row, changes, counts, renew
from hub.history.postgres_database import Connection, Cursor, Database, columns, is_unavailable
from hub.history.postgres_frames import FrameLog
from hub.history.postgres_partitions import Partitions
from hub.history.store import Arrivals, Batch, Outcome, Reading, StoreError, StoreRefusedError
from hub.protocol.telemetry import Value

_MISTAKES: Final = (psycopg.Error, OverflowError, ValueError, TypeError)
_encode: Final = msgspec.json.encode
decode_newest: Final = msgspec.json.Decoder(dict[str, tuple[Value, int, int]]).decode
_NOTHING: Final = Arrivals()
_INSERT: Final = """INSERT INTO reading (device, ts, received, seq, "values")
    SELECT d, t, r, s, v::json
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS u(d, t, r, s, v)
    ON CONFLICT DO NOTHING RETURNING device, ts"""
_PRESENT: Final = """SELECT r.device, r.ts, r.received, r.seq, r."values"::text
    FROM unnest(%s::bigint[], %s::bigint[]) AS u(d, t)
    JOIN reading AS r ON r.device = u.d AND r.ts = u.t ORDER BY r.device, r.ts FOR UPDATE OF r"""
_CHANGE: Final = """UPDATE reading SET seq = u.s, "values" = u.v::json
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS u(d, t, s, v)
    WHERE device = u.d AND ts = u.t"""
_PLACE: Final = """INSERT INTO latest (device, ts, received, "values")
    SELECT d, 0, 0, '{}' FROM unnest(%s::bigint[]) AS d ON CONFLICT DO NOTHING"""
_LATEST: Final = """SELECT device, ts, received, seq, "values"::text FROM latest
    WHERE device = ANY(%s::bigint[]) ORDER BY device FOR UPDATE"""
_RENEW: Final = """UPDATE latest SET ts = u.t, received = u.r, seq = u.s, "values" = u.v::json
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS u(d, t, r, s, v)
    WHERE device = u.d"""
_COUNT: Final = """INSERT INTO ledger AS l (device, received, stored, updated, duplicate, rejected,
    values_rejected, lost_before_hub, last_seq, holes)
    SELECT d, r, s, u, p, j, v, b, q, h::json
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS u(d, r, s, u, p, j, v, b, q, h)
    ON CONFLICT (device) DO UPDATE SET
    received = l.received + excluded.received, stored = l.stored + excluded.stored,
    updated = l.updated + excluded.updated, duplicate = l.duplicate + excluded.duplicate,
    rejected = l.rejected + excluded.rejected, values_rejected = l.values_rejected + excluded.values_rejected,
    lost_before_hub = l.lost_before_hub + excluded.lost_before_hub,
    last_seq = coalesce(excluded.last_seq, l.last_seq), holes = coalesce(excluded.holes, l.holes)"""


class Writer:
    """Everything that changes the database. Its methods run in one thread only."""

    def __init__(self, database: Database, frame_log_bytes: int) -> None:
        self._database = database
        self._frame_log_bytes = frame_log_bytes
        self._frames = FrameLog(frame_log_bytes)
        self._partitions = Partitions()
        self._placed: set[int] = set()
        self._connection: Connection | None = None

    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch in one transaction."""
        with self.transaction(batch) as cursor:
            outcomes, folded = self._append_readings(cursor, batch.readings)
            _add_to_ledgers(cursor, batch, outcomes)
            postgres_rollups.count_pruned(cursor, folded)
            self._frames.append(cursor, batch)
        return outcomes

    def forget_device(self, device: int) -> None:
        """What is remembered of a device is no longer so."""
        self._placed.discard(device)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        self._forget()
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    # --- the transaction ------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self, batch: Batch | None = None) -> Iterator[Cursor]:
        """One transaction, with the partitions that `batch` needs; what is raised inside undoes it."""
        try:
            with self._database.explained():
                connection = self._connection = self._connection or self._database.open_writer()
                if batch is not None:
                    self._partitions.ensure(connection, batch)
                with connection.transaction(), connection.cursor() as cursor:
                    yield cursor
        except StoreRefusedError:
            self._forget()
            raise
        except BaseException as error:
            self.close()
            if isinstance(error, _MISTAKES):
                raise StoreError(f"The history could not write what belongs to a batch: {error}.") from error
            raise

    def _forget(self) -> None:
        self._placed.clear()
        self._partitions.forget()
        self._frames = FrameLog(self._frame_log_bytes)

    # --- readings and latest --------------------------------------------------------------

    def _append_readings(
        self, cursor: Cursor, readings: Sequence[Reading]
    ) -> tuple[list[Outcome], Counter[int]]:
        """Also how many readings of each device went into rollups only."""
        if not readings:
            return [], Counter()
        try:
            change, folded = _store(cursor, readings)
        except _MISTAKES as error:
            if is_unavailable(error):
                raise
            raise StoreRefusedError(f"The history cannot hold these readings: {error}.") from error
        self._renew_latest(cursor, readings, change.outcomes)
        return change.outcomes, folded

    def _renew_latest(self, cursor: Cursor, readings: Sequence[Reading], outcomes: Iterable[Outcome]) -> None:
        """A repeat changes nothing, so it is left out: a reading that comes again is no newer for it."""
        pairs = zip(readings, outcomes, strict=True)
        effective = [reading for reading, outcome in pairs if outcome is not Outcome.DUPLICATE]
        devices = sorted({reading.device for reading in effective})
        newest = self._locked(cursor, devices)
        for reading in effective:
            newest[reading.device] = renew(newest[reading.device], reading)
        rows = [(device, *_row_of(one)) for device, one in newest.items() if one is not None]
        if rows:
            cursor.execute(_RENEW, columns(rows))

    def _locked(self, cursor: Cursor, devices: Sequence[int]) -> dict[int, Newest | None]:
        """What is newest of devices, locked until the commit; None for one without a reading."""
        newest: dict[int, Newest | None] = {}
        while missing := [device for device in devices if device not in newest]:
            # Before any is locked, so that two writers that meet at new devices take turns.
            if unplaced := [device for device in missing if device not in self._placed]:
                cursor.execute(_PLACE, (unplaced,))
                self._placed.update(unplaced)
            for device, ts_ms, received_ms, seq, text in cursor.execute(_LATEST, (missing,)).fetchall():
                values = decode_newest(text)
                newest[device] = Newest(ts_ms, received_ms, seq, values) if values else None
            self._placed.difference_update(device for device in missing if device not in newest)
        return newest


def _store(cursor: Cursor, readings: Sequence[Reading]) -> tuple[Changes, Counter[int]]:
    """Insert as if nothing were there; what was there already is merged in a second step."""
    change = changes(readings, {})
    late = postgres_rollups.begin_append(cursor, change.new)
    rows = [change.new[key] for key in sorted(change.new) if not late.is_closed(key)]
    inserted = set(cursor.execute(_INSERT, columns(rows)).fetchall()) if rows else set()
    if len(inserted) < len(change.new):
        present = _present(cursor, [key for key in change.new if key not in inserted])
        change = changes(readings, present)
        changed = [change.changed[key] for key in sorted(change.changed)]
        if changed:
            values = [(row.device, row.ts_ms, row.seq, row.values) for row in changed]
            cursor.execute(_CHANGE, columns(values))
    return change, postgres_rollups.take_late(cursor, change, late)


def _present(cursor: Cursor, keys: Sequence[Key]) -> Mapping[Key, Row]:
    found = cursor.execute(_PRESENT, columns(keys)).fetchall()
    return {(row[0], row[1]): Row(*row) for row in found}


def _add_to_ledgers(cursor: Cursor, batch: Batch, outcomes: list[Outcome]) -> None:
    counted = counts(batch.readings, outcomes)
    rows: list[tuple[object, ...]] = []
    for device in sorted({*counted, *batch.arrivals}):
        arrived = batch.arrivals.get(device, _NOTHING)
        holes = None if arrived.holes is None else _encode(arrived.holes).decode()
        rows.append(
            (
                *(device, arrived.received, *counted.get(device, (0, 0, 0)), arrived.rejected),
                *(arrived.values_rejected, arrived.lost_before_hub, arrived.last_seq, holes),
            )
        )
    if rows:
        cursor.execute(_COUNT, columns(rows))


def _row_of(newest: Newest) -> tuple[int, int, int | None, str]:
    return newest.ts_ms, newest.received_ms, newest.seq, _encode(newest.values).decode()
