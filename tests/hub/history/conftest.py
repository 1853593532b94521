"""Every store that the contract is tested against."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
import pytest
from psycopg import sql

from hub.history.postgres import PostgresStore
from hub.history.sqlite import SqliteStore
from hub.history.store import HistoryStore
from tests.parts.postgres import UNSAFE_AND_QUICK, start_postgres

StoreFactory = Callable[[int], HistoryStore]
OpenPostgres = Callable[[], PostgresStore]
Ask = Callable[[str], list[tuple[Any, ...]]]

_numbers: Final = itertools.count(1)


class OpenStore(Protocol):
    """Opens a store, prepared; a second call opens the same data once more."""

    def __call__(self, frame_log_bytes: int = 1_000_000) -> HistoryStore: ...


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests of this process, started by the first that needs it."""
    with start_postgres(tmp_path_factory.mktemp("postgres"), UNSAFE_AND_QUICK) as server:
        yield server.create_database("telemetry")


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """The name of a schema of the test's own; what is in it is gone afterwards."""
    name = f"history_{next(_numbers)}"
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def sqlite_factory(tmp_path: Path) -> StoreFactory:
    path = tmp_path / "history.sqlite3"
    return lambda frame_log_bytes: SqliteStore(path, frame_log_bytes, busy_timeout_s=2.0)


@pytest.fixture
def postgres_factory(postgres_url: str, postgres_schema: str) -> StoreFactory:
    return lambda frame_log_bytes: PostgresStore(
        postgres_url, frame_log_bytes, schema=postgres_schema, timeout_s=2.0
    )


@pytest.fixture(params=["sqlite", "postgres"])
def store_factory(request: pytest.FixtureRequest) -> StoreFactory:
    factory: StoreFactory = request.getfixturevalue(f"{request.param}_factory")
    return factory


@pytest.fixture
def open_store(store_factory: StoreFactory) -> Iterator[OpenStore]:
    opened: list[HistoryStore] = []

    def open_one(frame_log_bytes: int = 1_000_000) -> HistoryStore:
        store = store_factory(frame_log_bytes)
        opened.append(store)
        store.prepare()
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> HistoryStore:
    return open_store()


@pytest.fixture
def open_postgres(postgres_factory: StoreFactory) -> Iterator[OpenPostgres]:
    """Opens a store that is not prepared."""
    with contextlib.ExitStack() as opened:

        def open_another() -> PostgresStore:
            store = postgres_factory(1_000_000)
            assert isinstance(store, PostgresStore)
            opened.callback(store.close)
            return store

        yield open_another


@pytest.fixture
def postgres_store(open_postgres: OpenPostgres) -> PostgresStore:
    prepared = open_postgres()
    prepared.prepare()
    return prepared


@pytest.fixture
def ask_postgres(postgres_url: str, postgres_schema: str) -> Ask:
    """Ask the database itself."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(postgres_url, options=f"-c search_path={postgres_schema}") as connection:
            return connection.execute(query.encode()).fetchall()

    return rows
