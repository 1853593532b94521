"""What only a store on a server can suffer: its restart, a lock, a migration that fails."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.history import postgres_schema
from hub.history.postgres import PostgresStore
from hub.history.store import Batch, Outcome, StoreError, StoreRefusedError, StoreUnavailableError
from tests.hub.history.child import batch
from tests.hub.history.conftest import Ask, OpenPostgres
from tests.hub.history.examples import DEVICE, NOW, batch_of, frame, reading
from tests.hub.history.together import assert_both_laws_hold, together
from tests.parts.postgres import Postgres, start_postgres

# --- preparing -----------------------------------------------------------------------------


def test_processes_that_prepare_at_once_all_succeed(open_postgres: OpenPostgres) -> None:
    stores = [open_postgres() for _ in range(4)]
    together(*[store.prepare for store in stores])
    together(*[lambda store=store: store.append(batch(1)) for store in stores])
    assert stores[0].ledger([2])[2].received == 4
    assert_both_laws_hold(stores[0], range(1, 6))


def test_a_store_that_was_never_prepared_says_so(open_postgres: OpenPostgres) -> None:
    store = open_postgres()
    with pytest.raises(StoreUnavailableError, match="was not prepared"):
        store.append(batch_of(reading()))
    with pytest.raises(StoreUnavailableError, match="was not prepared"):
        store.latest([DEVICE])
    store.prepare()
    assert store.append(batch_of(reading())) == [Outcome.STORED]


def test_a_new_version_is_added_to_what_is_there_and_a_newer_one_left_alone(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch, ask_postgres: Ask
) -> None:
    postgres_store.append(batch_of(reading()))
    with monkeypatch.context() as patch:
        more = (*postgres_schema.MIGRATIONS, ("CREATE TABLE more (x integer)", "INSERT INTO more VALUES (1)"))
        patch.setattr(postgres_schema, "MIGRATIONS", more)
        for _ in range(2):
            postgres_store.prepare()
    assert ask_postgres("SELECT count(*) FROM more") == [(1,)]
    assert postgres_store.has_readings(DEVICE)
    with pytest.raises(StoreError, match="newer hub"):
        postgres_store.prepare()


def test_a_migration_that_fails_leaves_nothing_behind(
    open_postgres: OpenPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres()
    broken = (*postgres_schema.MIGRATIONS, ("CREATE TABLE more ()", "CREATE TABLE more ()"))
    with monkeypatch.context() as patch:
        patch.setattr(postgres_schema, "MIGRATIONS", broken)
        with pytest.raises(StoreError, match="already exists"):
            store.prepare()
    store.prepare()
    assert store.append(batch_of(reading())) == [Outcome.STORED]


# --- not available ---------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    with start_postgres(tmp_path, ("fsync = off",)) as running:
        yield running


def test_a_restart_of_the_server_is_told_from_a_refusal_and_needs_no_restart_of_ours(
    server: Postgres,
) -> None:
    with contextlib.closing(PostgresStore(server.url(), 1_000_000, timeout_s=1.0)) as store:
        store.prepare()
        store.append(batch(1))
        assert store.latest([2])[2].ts_ms == 1
        server.stop()
        server.start()
        assert store.latest([2])[2].ts_ms == 1, "readers do not notice"
        with pytest.raises(StoreUnavailableError, match="cannot be used now"):
            store.append(batch(2))
        store.append(batch(2))
        server.kill()
        with pytest.raises(StoreUnavailableError, match=rf"127\.0\.0\.1:{server.port}"):
            store.append(batch(3))
        with pytest.raises(StoreUnavailableError, match="within 1 s"):
            store.ledger([2])
        server.start()
        store.append(batch(3))
        assert store.ledger([2])[2].stored == 3
        assert_both_laws_hold(store, range(1, 6))


def test_a_crash_of_the_server_loses_nothing_that_was_acknowledged(server: Postgres) -> None:
    with contextlib.closing(PostgresStore(server.url(), 1_000_000, timeout_s=1.0)) as store:
        store.prepare()
        acknowledged, enough = 0, threading.Event()

        def append_until_it_fails() -> None:
            nonlocal acknowledged
            with contextlib.suppress(StoreUnavailableError):
                while True:
                    store.append(batch(acknowledged + 1))
                    acknowledged += 1
                    if acknowledged == 30:
                        enough.set()

        def crash() -> None:
            enough.wait(30)
            server.kill()

        together(append_until_it_fails, crash)
        server.start()
        stored = store.ledger([2])[2].stored
        assert stored in (acknowledged, acknowledged + 1)
        assert store.heads("pump")["main-1"].last == stored
        assert_both_laws_hold(store, range(1, 6))


def test_a_lock_of_another_is_waited_for_and_tried_again(
    postgres_url: str, postgres_schema: str, postgres_store: PostgresStore
) -> None:
    impatient = PostgresStore(postgres_url, 1_000_000, schema=postgres_schema, timeout_s=0.1)
    with contextlib.closing(impatient), psycopg.connect(postgres_url) as other:
        other.execute(f"LOCK TABLE {postgres_schema}.ledger".encode())
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            impatient.append(batch_of(reading()))
        other.rollback()
        assert impatient.append(batch_of(reading())) == [Outcome.STORED]


def test_a_password_is_never_told() -> None:
    address = "postgresql://hub:secret-word@127.0.0.1:1/hub"
    with contextlib.closing(PostgresStore(address, 1_000_000, timeout_s=0.1)) as store:
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1/hub") as caught:
            store.prepare()
        assert "secret-word" not in str(caught.value)


# --- what it is given ------------------------------------------------------------------------


def test_a_nul_in_a_text_comes_back_as_it_was(postgres_store: PostgresStore) -> None:
    assert postgres_store.append(batch_of(reading(NOW, {"mode": "a\0b"}))) == [Outcome.STORED]
    assert postgres_store.append(batch_of(reading(NOW, {"mode": "a\0b"}))) == [Outcome.DUPLICATE]
    assert postgres_store.latest([DEVICE])[DEVICE].values == {"mode": ("a\0b", NOW)}


def test_a_frame_that_cannot_be_logged_is_not_blamed_on_the_readings(postgres_store: PostgresStore) -> None:
    with pytest.raises(StoreError) as caught:
        postgres_store.append(Batch(NOW, [reading()], frames=[frame(1, source="a\0b")]))
    assert not isinstance(caught.value, StoreRefusedError)
    assert not postgres_store.has_readings(DEVICE)
