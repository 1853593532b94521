"""PostgreSQL's partitions, and several processes that write at the same time."""

import threading

from hub.history.postgres import PostgresStore
from hub.history.store import Batch, Cutoffs, HistoryStore, Outcome
from hub.limits.history import FRAME_PARTITION_MS, READING_PARTITION_MS
from hub.limits.live import FRAME_LOG_KEPT_MS
from tests.hub.history.child import batch
from tests.hub.history.conftest import Ask, OpenPostgres
from tests.hub.history.examples import DEVICE, NOW, batch_of, frame, reading
from tests.hub.history.together import FOREVER, assert_both_laws_hold, together

WEEK = READING_PARTITION_MS
HOUR = 3_600_000


def partitions(ask: Ask, table: str) -> list[str]:
    query = f"""SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = '{table}'::regclass ORDER BY relname"""
    return [name for (name,) in ask(query)]


# --- partitions ------------------------------------------------------------------------------


def test_each_week_has_a_partition_and_odd_times_share_one(
    postgres_store: PostgresStore, ask_postgres: Ask
) -> None:
    postgres_store.append(batch_of(reading(NOW), reading(NOW - WEEK), reading(5), reading(NOW * 1_000)))
    assert partitions(ask_postgres, "reading") == ["reading_20251113", "reading_20251120", "reading_other"]
    assert ask_postgres("SELECT ts FROM reading_other ORDER BY ts") == [(5,), (NOW * 1_000,)]
    assert [row.ts_ms for row in postgres_store.rows_page(DEVICE, 0, FOREVER, 0, 10)] == [
        5,
        NOW - WEEK,
        NOW,
        NOW * 1_000,
    ]


def test_readings_of_a_week_that_came_while_the_hubs_clock_was_wrong_are_found(
    postgres_store: PostgresStore, ask_postgres: Ask
) -> None:
    postgres_store.append(batch_of(reading(NOW), at_ms=86_400_000))
    assert postgres_store.append(batch_of(reading(NOW), reading(NOW + 1))) == [
        Outcome.DUPLICATE,
        Outcome.STORED,
    ]
    assert partitions(ask_postgres, "reading") == ["reading_other"]
    assert len(postgres_store.rows_page(DEVICE, 0, FOREVER, 0, 10)) == 2


def test_a_week_of_which_nothing_is_kept_is_dropped_and_late_readings_are_stored_all_the_same(
    postgres_store: PostgresStore, ask_postgres: Ask
) -> None:
    old = NOW - 3 * WEEK
    postgres_store.append(
        batch_of(*[reading(old + n, device=device) for n in range(10) for device in (1, 2)])
    )
    postgres_store.append(batch_of(reading(NOW, device=1)))
    postgres_store.roll(NOW, 30.0)
    assert postgres_store.prune(Cutoffs({1: NOW - WEEK})) == 10
    assert "reading_20251030" in partitions(ask_postgres, "reading"), "device 2 keeps its readings"
    assert postgres_store.prune(Cutoffs({2: NOW - WEEK})) == 10
    assert "reading_20251030" not in partitions(ask_postgres, "reading")
    assert postgres_store.append(batch_of(reading(old, device=3))) == [Outcome.STORED]
    assert postgres_store.has_readings(3)
    assert_both_laws_hold(postgres_store, range(1, 4))


def test_frames_lie_in_partitions_that_are_dropped_when_they_expire(
    postgres_store: PostgresStore, ask_postgres: Ask
) -> None:
    for n in range(1, 9):
        at_ms = NOW + n * FRAME_PARTITION_MS
        postgres_store.append(Batch(at_ms, frames=[frame(n, at_ms=at_ms)]))
    assert len(partitions(ask_postgres, "frame")) == FRAME_LOG_KEPT_MS // FRAME_PARTITION_MS + 2
    assert [one.last for one in postgres_store.frames_page("pump", {}, 10)] == [5, 6, 7, 8]


# --- side by side ----------------------------------------------------------------------------


def test_two_bridges_that_append_the_same_devices_at_once_never_lock_each_other_out(
    open_postgres: OpenPostgres, postgres_store: PostgresStore
) -> None:
    devices = list(range(1, 21))

    def append(store: HistoryStore, order: list[int], source: str) -> None:
        for n in range(1, 31):
            readings = [reading(NOW + n, {"t": n}, device=device) for device in order]
            arrived = batch_of(*readings)
            postgres_store.append(Batch(NOW, arrived.readings, arrived.arrivals, [frame(n, source=source)]))

    together(
        lambda: append(postgres_store, devices, "main-1"),
        lambda: append(open_postgres(), devices[::-1], "side-1"),
        lambda: append(open_postgres(), devices[10:] + devices[:10], "back-1"),
    )
    for ledger in postgres_store.ledger(devices).values():
        assert (ledger.received, ledger.stored, ledger.duplicate) == (90, 30, 60)
    assert {row.values["t"][0] for row in postgres_store.latest(devices).values()} == {30}
    assert {source: head.last for source, head in postgres_store.heads("pump").items()} == {
        "main-1": 30,
        "side-1": 30,
        "back-1": 30,
    }
    assert_both_laws_hold(postgres_store, range(1, 21))


def test_rolling_up_and_pruning_beside_appends_leave_no_hour_that_differs_from_its_readings(
    open_postgres: OpenPostgres, postgres_store: PostgresStore
) -> None:
    """Late readings fall into hours that are just being rolled up or closed by another process."""
    start = NOW - NOW % HOUR
    finished = threading.Event()

    def append() -> None:
        try:
            for n in range(40):
                late = [reading(start + n % 5 * HOUR + n * 10, {"t": n}, device=d) for d in (1, 2, 3)]
                postgres_store.append(batch_of(*late, at_ms=start + 5 * HOUR))
        finally:
            finished.set()

    def keep_house() -> None:
        keeper = open_postgres()
        hours = 0
        while not finished.is_set():
            hours = min(hours + 1, 5)
            keeper.roll(start + hours * HOUR, 10.0)
            keeper.prune(Cutoffs({1: start + min(hours - 1, 2) * HOUR}))

    together(append, keep_house)
    assert postgres_store.roll(start + 5 * HOUR, 30.0).is_finished
    assert_both_laws_hold(postgres_store, range(1, 4))
    for device in (1, 2, 3):
        assert postgres_store.ledger([device])[device].stored == 40
        column = postgres_store.read(device, ["t"], start, start + 5 * HOUR, 5).metrics["t"]
        assert getattr(column, "count", None) == [8] * 5


def test_a_deleted_device_stays_deleted_beside_appends_of_others(
    open_postgres: OpenPostgres, postgres_store: PostgresStore
) -> None:
    for n in range(1, 21):
        postgres_store.append(batch(n))

    def append() -> None:
        for n in range(21, 41):
            others = batch(n)
            postgres_store.append(
                Batch(n, [one for one in others.readings if one.device != 1], {}, others.frames)
            )

    together(append, lambda: open_postgres().delete(1))
    assert not postgres_store.has_readings(1)
    assert postgres_store.ledger([1]) == {}
    assert postgres_store.ledger([2])[2].stored == 40
