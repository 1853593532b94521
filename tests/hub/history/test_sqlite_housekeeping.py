"""Rolling up and pruning beside appends, and cut short. What only one file can show."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.history import sqlite_pruning, sqlite_rollups
from hub.history.rollups import HOUR_MS, pack
from hub.history.sqlite import SqliteStore
from hub.history.store import Batch, Cutoffs, StoreError
from tests.hub.history.examples import DEVICE, NOW, batch_of, reading
from tests.hub.history.test_store_rollups import assert_law_two, assert_same, fill, from_raw

START = NOW - NOW % (24 * HOUR_MS)
MINUTE = 60_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, 1_000_000)
    store.prepare()
    yield store
    store.close()


def test_an_hour_that_changes_while_it_is_made_anew_stays_dirty(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, START, 60, MINUTE)

    def pack_late(*args: object) -> bytes:
        store.append(batch_of(reading(START + 1, {"t": 1_000})))
        monkeypatch.setattr("hub.history.sqlite_rolling.pack", pack)
        return pack(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("hub.history.sqlite_rolling.pack", pack_late)
    assert store.roll(START + HOUR_MS, 5.0).num_hours == 0
    assert store.rollup_state(DEVICE).dirty == (START,)
    columns = store.read(DEVICE, [], START, START + HOUR_MS, 1)
    assert (columns.resolution, columns.metrics["t"].max) == ("raw", [1_000])  # type: ignore[union-attr]
    assert store.roll(START + HOUR_MS, 5.0).num_hours == 1
    assert_same(store.read(DEVICE, [], START, START + HOUR_MS, 1), columns)


def test_a_reading_that_comes_while_hours_are_being_marked_is_not_missed(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, START, 60, MINUTE)
    real = sqlite_rollups.mark

    def mark_late(cursor: sqlite3.Cursor, hours: list[tuple[int, int]]) -> None:
        monkeypatch.setattr(sqlite_rollups, "mark", real)
        real(cursor, hours)
        thread.start()

    # It has to wait for the transaction that marks, and comes before the one that ends the marking.
    thread = threading.Thread(target=fill, args=(store, START + HOUR_MS, 60, MINUTE, 8))
    monkeypatch.setattr(sqlite_rollups, "mark", mark_late)
    store.roll(START + 2 * HOUR_MS, 5.0)
    thread.join()
    store.roll(START + 2 * HOUR_MS, 5.0)
    columns = store.read(8, [], START, START + 3 * HOUR_MS, 1)
    assert columns.resolution == "1h"
    assert_same(columns, from_raw(store, columns, [], 8))


def test_pruning_that_was_cut_short_shows_nothing_twice_and_goes_on(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, START, 240, MINUTE)
    store.roll(START + 4 * HOUR_MS, 5.0)
    before = store.read(DEVICE, [], START, START + 5 * HOUR_MS, 8)
    monkeypatch.setattr("hub.history.sqlite_pruning.DELETE_SLICE_ROWS", 30)
    cut_short = SqliteStore(path, 1_000_000)
    closed = cut_short._pruning._close([sqlite_pruning._Old(DEVICE, START + 3 * HOUR_MS)])
    assert closed == [(DEVICE, START + 3 * HOUR_MS)]
    assert cut_short._pruning._remove(closed) == 30
    cut_short.close()
    assert_law_two(store)
    assert_same(store.read(DEVICE, [], START, START + 5 * HOUR_MS, 8), before)
    assert store.prune(Cutoffs(raw={DEVICE: START + 3 * HOUR_MS})) == 150
    assert_law_two(store)
    assert_same(store.read(DEVICE, [], START, START + 5 * HOUR_MS, 8), before)


def test_appends_get_their_turn_between_the_slices(store: SqliteStore) -> None:
    for device in range(1, 5):
        for part in range(5):
            fill(store, START + part * 5_000_000, 5_000, 1_000, device)
    ended = threading.Event()
    appended = 0

    def append_on() -> None:
        nonlocal appended
        while not ended.is_set():
            store.append(batch_of(reading(START + HOUR_MS * 20 + appended, device=9)))
            appended += 1

    thread = threading.Thread(target=append_on)
    thread.start()
    store.roll(START + 10 * HOUR_MS, 30.0)
    beside_rolling = appended
    assert store.prune(Cutoffs(raw=dict.fromkeys(range(1, 5), START + 5 * HOUR_MS))) == 4 * 5 * 3_600
    beside_pruning = appended - beside_rolling
    ended.set()
    thread.join()
    # How long a slice takes is the machine's affair, and the benchmark's; here none is all of it.
    assert beside_rolling > 1
    assert beside_pruning > 1


def test_closing_ends_housekeeping_that_is_under_way(store: SqliteStore) -> None:
    for device in range(1, 20):
        fill(store, START, 200, MINUTE, device)
    trouble: list[StoreError] = []

    def roll_on() -> None:
        try:
            while True:
                store.append(Batch(NOW, [reading(START, {"t": len(trouble)})]))
                store.roll(START + 10 * HOUR_MS, 5.0)
        except StoreError as error:
            trouble.append(error)

    thread = threading.Thread(target=roll_on)
    thread.start()
    store.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "closed" in str(trouble[0])


def test_appends_wait_for_the_disk_also_after_housekeeping_which_need_not(store: SqliteStore) -> None:
    fill(store, START, 10, MINUTE)
    said: list[str] = []
    assert store._writer._connection is not None
    store._writer._connection.set_trace_callback(said.append)
    store.roll(START + HOUR_MS, 5.0)
    fill(store, START + HOUR_MS, 10, MINUTE)
    levels = [text.split()[-1] for text in said if text.startswith("PRAGMA synchronous")]
    assert levels == ["NORMAL"] * (len(levels) - 1) + ["FULL"]
    assert len(levels) > 1
