"""Partitions: weeks of readings, and five minutes of the frame log, made when first needed.

Each is made in a transaction of its own before the append that needs it, and attached: so nobody
who reads or appends meanwhile waits for it.
"""

import datetime
from collections.abc import Iterable
from typing import Final, LiteralString

from psycopg import errors, sql

from hub.history.postgres_database import Connection, Cursor
from hub.history.store import Batch
from hub.limits.history import (
    FRAME_PARTITION_MS,
    READING_PARTITION_MS,
    READING_PARTITIONS_AHEAD_MS,
    READING_PARTITIONS_BACK_MS,
)
from hub.limits.live import FRAME_LOG_KEPT_MS

# Whoever makes or drops a partition waits for its turn here, in every process.
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('partitions ' || current_schema(), 0))"
_NAMES: Final = """SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = %s::regclass"""


class Partitions:
    """Remembers which partitions are there, so that an append asks for them once."""

    def __init__(self) -> None:
        self._weeks: set[int] = set()
        self._slots: set[int] = set()

    def ensure(self, connection: Connection, batch: Batch) -> None:
        """Make what a batch needs and is not there."""
        weeks = {reading.ts_ms // READING_PARTITION_MS for reading in batch.readings} - self._weeks
        for week in sorted(_near(weeks, batch.at_ms)):
            _make_week(connection, week)
            self._weeks.add(week)
        slot = batch.at_ms // FRAME_PARTITION_MS
        if batch.frames and slot not in self._slots:
            _make_slot(connection, slot, batch.at_ms)
            self._slots = {slot}

    def forget(self) -> None:
        """Look again next time."""
        self._weeks.clear()
        self._slots.clear()


def _near(weeks: Iterable[int], now_ms: int) -> list[int]:
    """The weeks that get a partition; readings of others go to the partition for odd times."""
    oldest = (now_ms - READING_PARTITIONS_BACK_MS) // READING_PARTITION_MS
    newest = (now_ms + READING_PARTITIONS_AHEAD_MS) // READING_PARTITION_MS
    return [week for week in weeks if oldest <= week <= newest]


def _make_week(connection: Connection, week: int) -> None:
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(_TURN)
            start_ms = week * READING_PARTITION_MS
            _make(cursor, "reading", f"reading_{_stamp(start_ms)}", start_ms, start_ms + READING_PARTITION_MS)
    except errors.CheckViolation:
        # Readings of this week came when it was far from the hub's clock: they lie with the odd
        # times, where they are found as well.
        return


def _make_slot(connection: Connection, slot: int, now_ms: int) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_TURN)
        _drop_expired(cursor, now_ms)
        start_ms = slot * FRAME_PARTITION_MS
        _make(cursor, "frame", f"frame_{start_ms}", start_ms, start_ms + FRAME_PARTITION_MS)


def _drop_expired(cursor: Cursor, now_ms: int) -> None:
    """Drop what is older than the log reaches back, if nothing in it is still in the log."""
    for name in names(cursor, "frame"):
        end_ms = int(name.removeprefix("frame_")) + FRAME_PARTITION_MS
        partition = sql.Identifier(name)
        if end_ms < now_ms - FRAME_LOG_KEPT_MS and not _has_frames(cursor, partition):
            cursor.execute(sql.SQL("DROP TABLE {}").format(partition))


def _has_frames(cursor: Cursor, partition: sql.Identifier) -> bool:
    kept = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE id > (SELECT gone FROM frame_log))")
    row = cursor.execute(kept.format(partition)).fetchone()
    return bool(row and row[0])


def names(cursor: Cursor, table: LiteralString) -> list[str]:
    """The partitions of a table, in order of their names."""
    return sorted(str(name) for (name,) in cursor.execute(_NAMES, (table,)).fetchall())


def _make(cursor: Cursor, table: LiteralString, name: str, start_ms: int, end_ms: int) -> None:
    if name in names(cursor, table):
        return
    identifiers = {"table": sql.Identifier(table), "name": sql.Identifier(name)}
    cursor.execute(sql.SQL("CREATE TABLE {name} (LIKE {table} INCLUDING ALL)").format(**identifiers))
    attach = sql.SQL("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})")
    cursor.execute(attach.format(**identifiers, start=sql.Literal(start_ms), end=sql.Literal(end_ms)))


def _stamp(start_ms: int) -> str:
    return datetime.datetime.fromtimestamp(start_ms / 1_000, datetime.UTC).strftime("%Y%m%d")


def drop_empty_weeks(cursor: Cursor, before_ms: int) -> None:
    """Drop the weeks that ended before a time and hold nothing any more.

    Who still thinks that one is there writes to the partition for odd times, where it is found as well.
    """
    cursor.execute(_TURN)
    for name in names(cursor, "reading"):
        partition = sql.Identifier(name)
        if name != "reading_other" and _week_end(name) <= before_ms:
            row = cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(partition)).fetchone()
            if row is not None and not row[0]:
                cursor.execute(sql.SQL("DROP TABLE {}").format(partition))


def _week_end(name: str) -> int:
    begun = datetime.datetime.strptime(name, "reading_%Y%m%d").replace(tzinfo=datetime.UTC)
    return int(begun.timestamp()) * 1_000 + READING_PARTITION_MS
