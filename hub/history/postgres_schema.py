"""The tables of the PostgreSQL history, version by version, in a schema of their own.

`reading` is cut into partitions of a week, so that what nobody keeps any more is dropped and not
deleted; times far from now lie in `reading_other`. `values` is json, not jsonb: jsonb would give
1e15 back as another kind of number than came. `frame` is cut into partitions of five minutes; what
is at or below `frame_log.gone` is no longer in the log, and a partition with nothing else is dropped.
`frame.upto` is the number of bytes logged up to and with it. `latest.values` holds [value, ts, rank]
by metric; a row with none was made to be locked.

`dirty`: hours of devices (ms) whose rollups do not equal their readings; `mark` is another number
whenever one is changed again. Appends mark hours before `rolling_to`, queries believe rollups before
`rolled_to`. Before `ledger.closed_to` a device's readings are pruned, or about to be. A piece holds the
minutes of an hour, or the hours of a day (`hub.history.rollups`).
"""

from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from hub.history.store import StoreError

MIGRATIONS: Final[tuple[tuple[LiteralString, ...], ...]] = (
    (
        """CREATE TABLE reading (
            device bigint NOT NULL, ts bigint NOT NULL, received bigint NOT NULL, seq bigint,
            "values" json NOT NULL, PRIMARY KEY (device, ts)
        ) PARTITION BY RANGE (ts)""",
        "CREATE TABLE reading_other PARTITION OF reading DEFAULT",
        """CREATE TABLE latest (
            device bigint PRIMARY KEY, ts bigint NOT NULL, received bigint NOT NULL, seq bigint,
            "values" json NOT NULL
        ) WITH (fillfactor = 50)""",
        """CREATE TABLE ledger (
            device bigint PRIMARY KEY, received bigint NOT NULL, stored bigint NOT NULL,
            updated bigint NOT NULL, duplicate bigint NOT NULL, rejected bigint NOT NULL,
            values_rejected bigint NOT NULL, lost_before_hub bigint NOT NULL, last_seq bigint,
            holes json, pruned bigint NOT NULL DEFAULT 0, closed_to bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 50)""",
        """CREATE TABLE frame (
            logged_ms bigint NOT NULL, id bigint NOT NULL, device_type text NOT NULL, source text NOT NULL,
            first bigint NOT NULL, last bigint NOT NULL, kind text NOT NULL, at_ms bigint NOT NULL,
            upto bigint NOT NULL, body text NOT NULL
        ) PARTITION BY RANGE (logged_ms)""",
        "CREATE INDEX ON frame (id)",
        "CREATE INDEX ON frame (device_type, source, last)",
        """CREATE TABLE frame_log (last_id bigint NOT NULL, upto bigint NOT NULL, gone bigint NOT NULL)
            WITH (fillfactor = 10)""",
        "INSERT INTO frame_log VALUES (0, 0, 0)",
        """CREATE TABLE head (
            device_type text NOT NULL, source text NOT NULL, last bigint NOT NULL,
            at_ms bigint NOT NULL, registry_version bigint NOT NULL,
            PRIMARY KEY (device_type, source)
        ) WITH (fillfactor = 50)""",
        """CREATE TABLE rollup_1m (
            device bigint NOT NULL, start bigint NOT NULL, piece bytea NOT NULL, PRIMARY KEY (device, start)
        )""",
        """CREATE TABLE rollup_1h (
            device bigint NOT NULL, start bigint NOT NULL, piece bytea NOT NULL, PRIMARY KEY (device, start)
        )""",
        # The pieces are compressed already.
        "ALTER TABLE rollup_1m ALTER COLUMN piece SET STORAGE EXTERNAL",
        "ALTER TABLE rollup_1h ALTER COLUMN piece SET STORAGE EXTERNAL",
        """CREATE TABLE dirty (
            device bigint NOT NULL, hour bigint NOT NULL, mark bigint NOT NULL, PRIMARY KEY (device, hour)
        )""",
        "CREATE SEQUENCE mark",
        """CREATE TABLE rollup_state (
            rolling_to bigint NOT NULL, rolled_to bigint NOT NULL,
            minutes_from bigint NOT NULL, hours_from bigint NOT NULL
        )""",
        "INSERT INTO rollup_state VALUES (0, 0, 0, 0)",
    ),
)


def migrate(connection: "psycopg.Connection[Any]", schema: str) -> None:
    """Bring a schema to the newest version; several processes may do so at once."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"prepare {schema}",))
        if cursor.execute("SELECT to_regnamespace(%s) IS NULL", (schema,)).fetchone() == (True,):
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        cursor.execute("CREATE TABLE IF NOT EXISTS version (version integer NOT NULL)")
        row = cursor.execute("SELECT version FROM version").fetchone()
        version = int(row[0]) if row else 0
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The history was made by a newer hub (version {version}, this hub knows {len(MIGRATIONS)}); "
                "run that hub, or point HUB_HISTORY_URL to another database."
            )
        for statement in (statement for step in MIGRATIONS[version:] for statement in step):
            cursor.execute(statement)
        cursor.execute("DELETE FROM version")
        cursor.execute("INSERT INTO version VALUES (%s)", (len(MIGRATIONS),))
