"""The tables of the SQLite history, version by version.

`reading` is kept in the order of its key, so that a chart of one device reads neighbouring pages.
`frame.upto` is the number of bytes logged up to and with it: the difference of two is the size of
what lies between. `latest.values` holds [value, ts, rank] by metric.

`dirty`: hours of devices (ms) whose rollups do not equal their readings; `mark` is another number
whenever one is changed again, so that who made it anew sees whether more came meanwhile. Appends mark
hours before `rolling_to`, queries believe rollups before `rolled_to`; between the two are hours whose
devices are being marked. Before `ledger.closed_to` a device's readings are pruned, or about to be.
"""

import sqlite3
import time
from typing import Final

from hub.history.store import StoreError

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE reading (
            device INTEGER NOT NULL, ts INTEGER NOT NULL, received INTEGER NOT NULL, seq INTEGER,
            "values" TEXT NOT NULL, PRIMARY KEY (device, ts)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE latest (
            device INTEGER PRIMARY KEY, ts INTEGER NOT NULL, received INTEGER NOT NULL, seq INTEGER,
            "values" TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE ledger (
            device INTEGER PRIMARY KEY, received INTEGER NOT NULL, stored INTEGER NOT NULL,
            updated INTEGER NOT NULL, duplicate INTEGER NOT NULL, rejected INTEGER NOT NULL,
            values_rejected INTEGER NOT NULL, lost_before_hub INTEGER NOT NULL, last_seq INTEGER,
            holes TEXT, pruned INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE TABLE frame (
            id INTEGER PRIMARY KEY, device_type TEXT NOT NULL, source TEXT NOT NULL,
            first INTEGER NOT NULL, last INTEGER NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL,
            upto INTEGER NOT NULL, body TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX frame_position ON frame (device_type, source, last)",
        """CREATE TABLE head (
            device_type TEXT NOT NULL, source TEXT NOT NULL, last INTEGER NOT NULL,
            at_ms INTEGER NOT NULL, registry_version INTEGER NOT NULL,
            PRIMARY KEY (device_type, source)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # `key` is device << 24 | number of the hour or day since 1970: a piece has up to some KB, too
        # much for a table without rowid, and a key of two columns would stand in an index once more.
        "CREATE TABLE rollup_1m (key INTEGER PRIMARY KEY, piece BLOB NOT NULL) STRICT",
        "CREATE TABLE rollup_1h (key INTEGER PRIMARY KEY, piece BLOB NOT NULL) STRICT",
        """CREATE TABLE dirty (
            device INTEGER NOT NULL, hour INTEGER NOT NULL, mark INTEGER NOT NULL,
            PRIMARY KEY (device, hour)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE rollup_state (
            rolling_to INTEGER NOT NULL, rolled_to INTEGER NOT NULL,
            minutes_from INTEGER NOT NULL, hours_from INTEGER NOT NULL, marks INTEGER NOT NULL
        ) STRICT""",
        "INSERT INTO rollup_state VALUES (0, 0, 0, 0, 0)",
        "ALTER TABLE ledger ADD COLUMN closed_to INTEGER NOT NULL DEFAULT 0",
    ),
)


def migrate(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Bring a file to the newest version; several processes may do so at once."""
    _use_wal(connection, timeout_s)
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The history was made by a newer hub (version {version}, this hub knows {len(MIGRATIONS)}); "
                "run that hub, or point HUB_HISTORY_URL to another file."
            )
        for statement in (statement for step in MIGRATIONS[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    # The busy time-out does not cover every step of this change, so two hubs that start at once
    # may refuse each other; it is made once in the life of a file.
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
