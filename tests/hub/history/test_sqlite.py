"""What only a store in a file can suffer: locks, deletion, a full disk, a process that dies."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.history import sqlite_pruning, sqlite_schema
from hub.history.sqlite import SqliteStore
from hub.history.store import Batch, HistoryStore, Outcome, StoreError, StoreUnavailableError
from hub.limits.live import FRAME_LOG_KEPT_MS, FRAME_LOG_PRUNE_EVERY_MS
from tests.hub.history.child import DEVICES, FRAME_LOG_BYTES, batch
from tests.hub.history.examples import DEVICE, NOW, batch_of, frame, reading

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite3"


def open_at(path: Path, busy_timeout_s: float = 2.0) -> "contextlib.closing[SqliteStore]":
    store = SqliteStore(path, FRAME_LOG_BYTES, busy_timeout_s=busy_timeout_s)
    store.prepare()
    return contextlib.closing(store)


@contextlib.contextmanager
def child(what: str, path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.hub.history.child", what, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY) as process:
        try:
            yield process
        finally:
            process.kill()


def say(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def assert_both_laws_hold(store: HistoryStore, devices: range) -> None:
    for device, ledger in store.ledger(devices).items():
        assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
        assert ledger.stored - ledger.pruned == len(store.rows_page(device, 0, 2**53, 0, 5_000))


# --- preparing -----------------------------------------------------------------------------


def test_the_file_belongs_to_its_owner_and_preparing_again_keeps_it(path: Path) -> None:
    with open_at(path) as store:
        store.append(batch_of(reading()))
        assert [one.stat().st_mode & 0o777 for one in path.parent.iterdir()] == [0o600] * 3
        store.prepare()
        assert store.has_readings(DEVICE)
    with open_at(path) as store:
        assert store.append(batch_of(reading())) == [Outcome.DUPLICATE]


def test_processes_that_prepare_at_once_all_succeed(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child("prepare", path)) for _ in range(4)]
        assert [say(process) for process in children] == ["ready"] * 4
        for process in children:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [say(process) for process in children] == ["prepared"] * 4
    with open_at(path) as store:
        assert store.ledger([1])[1].received == 8
        assert_both_laws_hold(store, range(1, DEVICES + 1))


def test_a_file_of_a_newer_hub_is_left_alone(path: Path) -> None:
    with open_at(path):
        pass
    newer = len(sqlite_schema.MIGRATIONS) + 1
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    with pytest.raises(StoreError, match="newer hub"):
        open_at(path)


def test_a_new_version_is_added_to_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_at(path) as store:
        store.append(batch_of(reading()))
    more = (*sqlite_schema.MIGRATIONS, ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)"))
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", more)
    for _ in range(2):
        with open_at(path) as store:
            assert store.has_readings(DEVICE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (1,)


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*sqlite_schema.MIGRATIONS, ("CREATE TABLE more (x)", "CREATE TABLE more (x)"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "MIGRATIONS", broken)
        with pytest.raises(StoreUnavailableError):
            open_at(path)
    with open_at(path) as store:
        assert store.append(batch_of(reading())) == [Outcome.STORED]


# --- not available ---------------------------------------------------------------------------


def test_a_store_that_was_never_prepared_says_so(path: Path) -> None:
    with contextlib.closing(SqliteStore(path, FRAME_LOG_BYTES)) as store:
        with pytest.raises(StoreUnavailableError, match="gone"):
            store.append(batch_of(reading()))
        with pytest.raises(StoreUnavailableError, match="gone"):
            store.ledger([DEVICE])
    assert not path.exists()


def test_a_file_locked_by_another_process_is_tried_again(path: Path) -> None:
    with open_at(path, busy_timeout_s=0.05) as store, contextlib.closing(sqlite3.connect(path)) as other:
        store.append(batch_of(reading()))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked by another process"):
            store.append(batch_of(reading(NOW + 1)))
        assert store.has_readings(DEVICE)
        other.rollback()
        assert store.append(batch_of(reading(NOW + 1))) == [Outcome.STORED]


def test_a_deleted_file_is_noticed_before_anything_is_lost_in_it(path: Path) -> None:
    with open_at(path) as store:
        store.append(batch_of(reading()))
        aside = path.rename(path.with_suffix(".aside"))
        with pytest.raises(StoreUnavailableError, match="is gone"):
            store.append(batch_of(reading(NOW + 1)))
        with pytest.raises(StoreUnavailableError, match="is gone"):
            store.latest([DEVICE])
        aside.rename(path)
        assert store.append(batch_of(reading(NOW + 1))) == [Outcome.STORED]
        path.unlink()
        with pytest.raises(StoreUnavailableError, match="is gone"):
            store.append(batch_of(reading(NOW + 2)))
        store.prepare()
        assert store.append(batch_of(reading(NOW))) == [Outcome.STORED]
        assert len(store.rows_page(DEVICE, 0, 2**53, 0, 10)) == 1


def test_a_file_that_was_replaced_is_not_written(path: Path, tmp_path: Path) -> None:
    with open_at(path) as store, open_at(tmp_path / "other.sqlite3"):
        store.append(batch_of(reading()))
        (tmp_path / "other.sqlite3").rename(path)
        with pytest.raises(StoreUnavailableError, match="was replaced"):
            store.append(batch_of(reading(NOW + 1)))
        with pytest.raises(StoreUnavailableError, match="was replaced"):
            store.has_readings(DEVICE)


def test_a_file_that_is_no_database_is_told_from_a_lock(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all, " * 100)
    with pytest.raises(StoreUnavailableError, match="not a SQLite file"):
        open_at(path)


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="File exists"):
        open_at(tmp_path / "file" / "history.sqlite3")


def test_a_full_disk_stores_nothing_by_half_and_goes_on_when_there_is_room(path: Path) -> None:
    with child("fill", path) as process:
        name, stored = say(process).split()
        assert name == "StoreUnavailableError"
        assert say(process) == " ".join(["stored"] * DEVICES + ["duplicate"])
        process.wait()
    with open_at(path) as store:
        assert store.ledger([2])[2].stored == int(stored) + 1
        assert_both_laws_hold(store, range(1, DEVICES + 1))


# --- dying and running side by side ----------------------------------------------------------


@pytest.mark.parametrize("after", [1, 20, 57])
def test_a_process_killed_in_the_middle_loses_nothing_it_acknowledged(path: Path, after: int) -> None:
    with child("append", path) as process:
        for _ in range(after):
            acknowledged = say(process)
        process.kill()
        process.wait()
        assert process.stdout is not None
        acknowledged = ([acknowledged, *process.stdout.read().split()])[-1]
    with open_at(path) as store:
        stored = store.ledger([2])[2].stored
        assert stored in (int(acknowledged), int(acknowledged) + 1)
        assert_both_laws_hold(store, range(1, DEVICES + 1))
        assert store.heads("pump")["main-1"].last == stored
        assert store.latest([2])[2].ts_ms == stored
        assert store.append(batch(stored)) == [Outcome.DUPLICATE] * (DEVICES + 1)


def test_readers_go_on_while_others_write(path: Path) -> None:
    with open_at(path) as store:
        finished = threading.Event()
        trouble: list[BaseException] = []

        def read_on() -> None:
            try:
                while not finished.is_set():
                    rows = store.rows_page(1, 0, 2**53, 0, 5_000)
                    columns = store.read(1, ["t"], 0, 2**53, 10)
                    assert [row.ts_ms for row in rows] == list(range(1, len(rows) + 1))
                    assert len(columns.ts) <= 10
                    store.heads("pump")
            except BaseException as error:
                trouble.append(error)

        def write(first: int) -> None:
            for n in range(first, first + 40):
                store.append(batch(n))

        readers = [threading.Thread(target=read_on) for _ in range(12)]
        for thread in readers:
            thread.start()
        write(1)
        finished.set()
        for thread in readers:
            thread.join()
        assert trouble == []
        assert store.size().num_readings == 40 * DEVICES


def test_appends_and_deletions_from_many_threads_keep_the_laws(path: Path) -> None:
    with open_at(path) as store:
        threads = [threading.Thread(target=store.append, args=(batch(n),)) for n in range(1, 31)]
        threads += [threading.Thread(target=store.delete, args=(1,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.ledger([2])[2].stored == 30
        assert_both_laws_hold(store, range(1, DEVICES + 1))


def test_more_devices_than_the_writer_remembers_keep_their_latest_values(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.history.sqlite_append.LATEST_CACHED_DEVICES", 2)
    with open_at(path) as store:
        for n in range(1, 6):
            store.append(batch_of(*[reading(NOW + n, {f"m{n}": n}, device=device) for device in range(1, 6)]))
        for latest in store.latest(range(1, 6)).values():
            assert latest.values == {f"m{n}": (n, NOW + n) for n in range(1, 6)}


def test_a_deletion_that_was_cut_short_keeps_the_laws(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.history.sqlite_pruning.DELETE_SLICE_ROWS", 10)
    with open_at(path) as store:
        for n in range(1, 26):
            store.append(batch(n))
        assert store._pruning._remove([sqlite_pruning._Old(2, 2**62)]) == 10
        assert store.ledger([2])[2].pruned == 10
        assert_both_laws_hold(store, range(1, DEVICES + 1))
        assert store.size().num_readings == 25 * DEVICES - 10
        assert store.delete(2) == 15


def test_expired_frames_beyond_what_one_append_removes_go_with_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.history.sqlite_frames.FRAME_LOG_PRUNE_FRAMES", 4)
    with open_at(path) as store:
        store.append(Batch(NOW, frames=[frame(n) for n in range(1, 11)]))
        later = NOW + FRAME_LOG_KEPT_MS + FRAME_LOG_PRUNE_EVERY_MS
        left = []
        for n in range(3):
            store.append(Batch(later + n))
            left.append(store.size().num_frames)
        assert left == [6, 2, 0]
