"""Every store that the contract is tested against."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from hub.history.sqlite import SqliteStore
from hub.history.store import HistoryStore

StoreFactory = Callable[[Path, int], HistoryStore]


class OpenStore(Protocol):
    """Opens a store, prepared; a second call opens the same data once more."""

    def __call__(self, frame_log_bytes: int = 1_000_000) -> HistoryStore: ...


def sqlite_store(place: Path, frame_log_bytes: int) -> HistoryStore:
    return SqliteStore(place / "history.sqlite3", frame_log_bytes, busy_timeout_s=2.0)


@pytest.fixture(params=[sqlite_store])
def store_factory(request: pytest.FixtureRequest) -> StoreFactory:
    factory: StoreFactory = request.param
    return factory


@pytest.fixture
def open_store(store_factory: StoreFactory, tmp_path: Path) -> Iterator[OpenStore]:
    opened: list[HistoryStore] = []

    def open_one(frame_log_bytes: int = 1_000_000) -> HistoryStore:
        store = store_factory(tmp_path, frame_log_bytes)
        opened.append(store)
        store.prepare()
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> HistoryStore:
    return open_store()
