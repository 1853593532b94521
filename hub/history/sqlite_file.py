"""The SQLite file: connections to it, and what its errors mean."""

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hub.history.sqlite_schema import migrate
from hub.history.store import StoreError, StoreUnavailableError
from hub.limits.history import (
    SQLITE_CACHE_BYTES,
    SQLITE_READ_CONNECTIONS,
    SQLITE_STATEMENTS_CACHED,
    SQLITE_WAL_KEPT_BYTES,
    SQLITE_WAL_PAGES,
)

_WHY: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another process for too long",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "could not be read or written",
    sqlite3.SQLITE_CANTOPEN: "could not be opened",
    sqlite3.SQLITE_READONLY: "may not be written",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "is not a SQLite file",
}


def is_unavailable(error: BaseException) -> bool:
    """Whether an error is about the file, so that the same call may work later."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


class DatabaseFile:
    """One file; remembers which one it is, so that a deleted one is noticed.

    SQLite goes on writing to a file that was deleted: what it acknowledges then is lost.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._identity: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Create the file, readable by its owner only, and bring its tables to the newest version."""
        with self.explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists()
            with contextlib.closing(self._connect("rwc")) as connection:
                if is_new:
                    self.path.chmod(0o600)
                migrate(connection, self._busy_timeout_s)
            self._identity = self._seen()

    def forget(self) -> None:
        """Accept whichever file is there from now on; no connection to another may be open."""
        self._identity = None

    def check(self) -> None:
        """StoreUnavailableError when the file is not the one that was opened."""
        seen = self._seen()
        if seen is None:
            raise StoreUnavailableError(
                f"The history file {self.path} is gone; put it back, or start the hub again for a new one."
            )
        if self._identity is None:
            self._identity = seen
        elif seen != self._identity:
            raise StoreUnavailableError(
                f"The history file {self.path} was replaced while in use; start the hub again."
            )

    def open_writer(self) -> sqlite3.Connection:
        """The connection for appends: what it commits is on the disk."""
        return self._open(
            f"""PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = {SQLITE_WAL_PAGES};
            PRAGMA journal_size_limit = {SQLITE_WAL_KEPT_BYTES};
            PRAGMA cache_size = -{SQLITE_CACHE_BYTES // 1024};"""
        )

    def open_reader(self) -> sqlite3.Connection:
        """A connection that cannot write."""
        return self._open("PRAGMA query_only = 1")

    def checkpoint(self) -> None:
        """Copy what the write-ahead log holds into the file, as far as nobody reads it; nobody waits."""
        with self.explained(), contextlib.closing(self._connect("rw")) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def num_bytes(self) -> int:
        """What the file and its write-ahead log take on the disk."""
        sizes = 0
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                sizes += Path(f"{self.path}{suffix}").stat().st_size
        return sizes

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the file into StoreUnavailableError with a sentence."""
        try:
            yield
        except OSError as error:
            raise StoreUnavailableError(
                f"The history file {self.path}: {error.strerror or error}."
            ) from error
        except sqlite3.Error as error:
            if not is_unavailable(error):
                raise
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            why = _WHY.get(code, "cannot be used")
            raise StoreUnavailableError(f"The history file {self.path} {why} ({error}).") from error

    def _open(self, pragmas: str) -> sqlite3.Connection:
        connection = self._connect("rw")
        try:
            connection.executescript(pragmas)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=self._busy_timeout_s,
            check_same_thread=False,
            cached_statements=SQLITE_STATEMENTS_CACHED,
        )

    def _seen(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


class Readers:
    """A bounded number of read connections, each used by one thread at a time."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._turns = threading.BoundedSemaphore(SQLITE_READ_CONNECTIONS)
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._closed = False

    def rows(
        self, statement: str, parameters: tuple[object, ...] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a query; its statement is closed before returning, so checkpoints can go on."""
        with self._turns, self._file.explained():
            connection = self._take()
            try:
                found = connection.execute(statement, parameters).fetchall()
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
            return found

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close the connections that nobody uses."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _take(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError("The history is closed; open it again to read.")
        self._file.check()
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._file.open_reader()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.put(connection)
        if self._closed:
            self.drop_idle()
