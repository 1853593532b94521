"""A real PostgreSQL on a free port, as a child process."""

import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.parts.mosquitto import free_port
from tools.programs import POSTGRESQL

_START_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.02
_CONFIG: Final = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
max_wal_size = 256MB
timezone = 'UTC'
logging_collector = off
"""
UNSAFE_AND_QUICK: Final = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""For tests that pull no plug: nothing is waited for."""


class Postgres:
    """A server of one's own, with the account `hub`. It keeps its port over `stop()`, `kill()` and `start()`.

    It refuses to run as root: for root it runs as `postgres` or `nobody`.
    """

    def __init__(self, folder: Path, config_lines: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.log_file = folder / f"postgres-{self.port}.log"
        self._config_lines = config_lines
        self._user = _unprivileged_user()
        self._data_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "PostgreSQL is not running"
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://hub@127.0.0.1:{self.port}/{quote(database)}"

    def create(self) -> None:
        """Make the data directory, apart from the test's folder, which another user may not enter."""
        self._data_dir = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        if self._user is not None:
            os.chown(self._data_dir, self._user.pw_uid, self._user.pw_gid)
        options = ["-D", str(self._data_dir), "-U", "hub", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"]
        done = subprocess.run(
            [_program("initdb"), *options], capture_output=True, text=True, check=False, **self._identity()
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
        with (self._data_dir / "postgresql.conf").open("a") as file:
            file.write("\n".join((_CONFIG.format(port=self.port), *self._config_lines, "")))

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", str(self._data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._identity(),
            )
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(_POLL_S)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start on port {self.port}:\n{self.log_file.read_text()}")

    def stop(self) -> None:
        """End it in order, without waiting for those who are connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, as a crash does: the next start replays its log."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Remove the data directory."""
        if self._data_dir is not None:
            shutil.rmtree(self._data_dir)
            self._data_dir = None

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database, empty or a copy of another that nobody is connected to; returns its address."""
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=_START_WITHIN_S)
            self._process = None

    def _identity(self) -> dict[str, Any]:
        """As whom the server's programs run, and where: another user may not enter this folder."""
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "cwd": "/"}


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs the server when root runs the tests; None when nobody else need be."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


@functools.cache
def _program(name: str) -> str:
    """A program of the server's own directory, where `initdb` and `postgres` lie together."""
    located = POSTGRESQL.locate()
    assert located is not None, "PostgreSQL is missing; `make setup-test` installs it"
    beside = Path(located).resolve().parent / name
    return str(beside) if beside.exists() else (shutil.which(name) or name)


@contextmanager
def start_postgres(folder: Path, config_lines: Sequence[str] = ()) -> Iterator[Postgres]:
    """A running server that is gone at the end of the block."""
    server = Postgres(folder, config_lines)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        server.remove()
