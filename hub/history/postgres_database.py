"""The PostgreSQL server: connections to it, and what its errors mean."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from hub.history.postgres_schema import migrate
from hub.history.store import StoreError, StoreUnavailableError
from hub.limits.history import (
    POSTGRES_CONNECT_TIMEOUT_S,
    POSTGRES_IDLE_TRANSACTION_S,
    POSTGRES_LOCK_TIMEOUT_S,
    POSTGRES_READ_CONNECTIONS,
    POSTGRES_SILENCE_S,
)

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]

_UNPREPARED: Final = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)
_OF_THE_DATABASE: Final = (
    *_UNPREPARED,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    errors.InsufficientPrivilege,
    # A row without its partition: another process dropped it meanwhile; the next try makes it again.
    errors.CheckViolation,
)
# Optimization: every join of ours looks keys up in an index. For a table that has grown since it was
# last analysed the planner may choose to read all of it: 300 times slower for a batch.
_BY_KEYS: Final = ("enable_hashjoin=off", "enable_mergejoin=off", "enable_seqscan=off")


def is_unavailable(error: BaseException) -> bool:
    """Whether an error is about the database, so that the same call may work later."""
    return isinstance(error, _OF_THE_DATABASE)


class Database:
    """One schema of one database; `timeout_s` bounds how long a connection or a lock is waited for."""

    def __init__(self, url: str, schema: str, timeout_s: float | None = None) -> None:
        self.schema = schema
        self._url = url
        self._connect_timeout_s = timeout_s or POSTGRES_CONNECT_TIMEOUT_S
        self._lock_timeout_s = timeout_s or POSTGRES_LOCK_TIMEOUT_S
        self._readers = self._pool()
        self._closed = False

    def prepare(self) -> None:
        """Create the tables or bring them to the newest version."""
        with self.explained(), self._connect(self._conninfo()) as connection:
            migrate(connection, self.schema)

    def open_writer(self) -> Connection:
        """The connection for appends; what it commits is on the server's disk."""
        return self._connect(self._conninfo(*_BY_KEYS))

    def rows(
        self, statement: LiteralString, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query. After a restart of the server idle connections are replaced unnoticed."""
        if self._closed:
            raise StoreError("The history is closed; open it again to read.")
        with self.explained():
            if self._readers.closed:
                self._readers.open()
            try:
                return self._rows(statement, parameters)
            except PoolTimeout:
                raise
            except psycopg.OperationalError:
                # Perhaps a connection died while it was idle: the others are looked at before the next try.
                self._readers.check()
                return self._rows(statement, parameters)

    def _rows(
        self, statement: LiteralString, parameters: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        with self._readers.connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    def close(self) -> None:
        """Close the connections for reading; may be called twice."""
        self._closed = True
        self._readers.close()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the database into StoreError, mostly StoreUnavailableError, with a sentence."""
        try:
            yield
        except _UNPREPARED as error:
            raise StoreUnavailableError(
                f"The history at {self._place()} was not prepared; `manage.py migrate` and a start of the "
                f"hub do that ({_first_line(error)})."
            ) from error
        except PoolTimeout as error:
            raise StoreUnavailableError(
                f"The history at {self._place()} gave no connection within {self._connect_timeout_s:g} s."
            ) from error
        except _OF_THE_DATABASE as error:
            raise StoreUnavailableError(
                f"The history at {self._place()} cannot be used now: {_first_line(error)}."
            ) from error
        except psycopg.Error as error:
            raise StoreError(
                f"The history at {self._place()} did not take a statement: {_first_line(error)}."
            ) from error

    def _pool(self) -> "ConnectionPool[Connection]":
        return ConnectionPool(
            self._conninfo("default_transaction_read_only=on"),
            kwargs={"autocommit": True},
            min_size=0,
            max_size=POSTGRES_READ_CONNECTIONS,
            open=False,
            timeout=self._connect_timeout_s,
            # Given up soon, because who asks next tries again at once: the pool itself waits ever longer.
            reconnect_timeout=1.0,
            name="history",
        )

    @staticmethod
    def _connect(conninfo: str) -> Connection:
        return psycopg.connect(conninfo, autocommit=True)

    def _conninfo(self, *settings: str) -> str:
        own = (
            # None of our queries is long enough to be worth compiling.
            "jit=off",
            f"search_path={self.schema}",
            f"lock_timeout={int(self._lock_timeout_s * 1_000)}",
            f"idle_in_transaction_session_timeout={int(POSTGRES_IDLE_TRANSACTION_S * 1_000)}",
        )
        given = conninfo_to_dict(self._url)
        options = " ".join(f"-c {setting}" for setting in (*own, *settings))
        return make_conninfo(
            self._url,
            options=f"{given.get('options', '')} {options}".strip(),
            application_name="telemetry-hub",
            connect_timeout=max(2, round(self._connect_timeout_s)),  # libpq knows no shorter one
            keepalives_idle=int(POSTGRES_SILENCE_S),
            tcp_user_timeout=int(POSTGRES_SILENCE_S * 1_000),
        )

    def _place(self) -> str:
        given = conninfo_to_dict(self._url)
        return f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows of equal width as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
