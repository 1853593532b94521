"""Batches into the store: retried, halved, and stored once whatever the store says."""

import asyncio
from collections.abc import Sequence

import pytest
from django.db import OperationalError

from hub.bridge.batch import Judged
from hub.bridge.intake import Accepted, Refusal
from hub.bridge.ledger import Tally, Track
from hub.bridge.numbering import Numbering
from hub.bridge.presence import Change
from hub.bridge.storing import Storing
from hub.history.store import StoreUnavailableError
from hub.protocol import frames
from hub.protocol.frames import Frame
from tests.hub.bridge.parts import NOW_MS, T1, T2, accepted, changes_of, refusal, registry_of, until
from tests.hub.bridge.trouble import TroubledStore, unavailable

KEYS = [T1.key, T2.key]


class Bench:
    def __init__(self, store: TroubledStore) -> None:
        self.store = store
        self.storing = Storing(store, Numbering("main-1"), registry_of(T1, T2))

    async def append(
        self, readings: Sequence[Accepted], refusals: Sequence[Refusal] = (), **rest: object
    ) -> tuple[list[Frame], list[Refusal]]:
        tally = Tally({T1.key: Track(), T2.key: Track()})
        for reading in readings:
            tally.accepted(reading)
        for refused in refusals:
            tally.refused(refused)
        judged = Judged(list(readings), list(refusals), **rest)  # type: ignore[arg-type]
        return await self.storing.store(judged, tally.arrivals())

    def logged(self) -> list[Frame]:
        """The frame log, which must have no hole and no entry twice."""
        log = self.store.frames_page("thermostat", {}, 1_000)
        position = 0
        for frame in log:
            assert frame.first == position + 1
            position = frame.last
        return log


@pytest.fixture
def bench(store: TroubledStore) -> Bench:
    return Bench(store)


def readings(*modes: str) -> list[Accepted]:
    return [accepted({"mode": mode}, ts_ms=NOW_MS + n, seq=n) for n, mode in enumerate(modes)]


async def test_readings_counts_and_frames_are_stored_in_one_append(bench: Bench):
    change = Change(T1, "online", NOW_MS, "reading")
    made, refused = await bench.append(readings("a", "b"), [refusal()], changes=[change])
    assert refused == []
    assert len(bench.store.batches) == 1
    assert [frame.kind for frame in made] == ["states", "readings"]
    assert bench.logged() == made
    ledger = bench.store.ledger(KEYS)[T1.key]
    assert (ledger.received, ledger.stored, ledger.rejected, ledger.last_seq) == (3, 2, 1, 1)
    bench.store.check_laws(KEYS)


async def test_frames_of_later_appends_follow_on(bench: Bench):
    for _ in range(3):
        await bench.append(readings("a", "b"))
    assert [(f.first, f.last) for f in bench.logged()] == [(1, 2), (3, 4), (5, 6)]
    ledger = bench.store.ledger(KEYS)[T1.key]
    assert (ledger.received, ledger.stored, ledger.duplicate) == (6, 2, 4)


async def test_changes_of_the_registry_are_logged_with_the_version_they_bring(bench: Bench):
    await bench.append([], registry=changes_of(T1, version=17))
    assert bench.store.heads("thermostat")["main-1"].registry_version == 17
    await bench.append(readings("a"))
    assert bench.store.heads("thermostat")["main-1"] == (2, bench.logged()[-1].at_ms, 17)


# --- unavailable -------------------------------------------------------------------------------


async def test_a_store_that_is_away_is_asked_until_it_is_back(bench: Bench):
    bench.store.before_append = [unavailable()] * 5
    assert bench.storing.storing
    task = asyncio.create_task(bench.append(readings("a")))
    await until(lambda: not bench.storing.storing)
    await task
    assert bench.storing.storing
    assert len(bench.logged()) == 1
    bench.store.check_laws(KEYS)


async def test_a_commit_of_unknown_outcome_that_took_place_is_not_repeated(bench: Bench):
    bench.store.after_commit = [unavailable()]
    made, _ = await bench.append(readings("a", "b"))
    assert len(bench.store.batches) == 1
    assert bench.logged() == made
    assert bench.store.ledger(KEYS)[T1.key].received == 2
    await bench.append(readings("c"))
    assert [(f.first, f.last) for f in bench.logged()] == [(1, 2), (3, 3)]


async def test_an_unknown_outcome_is_asked_for_until_there_is_an_answer(bench: Bench):
    """The store does not answer that question either for a while."""
    bench.store.after_commit = [unavailable()]
    bench.store.before_heads = [unavailable()] * 4
    made, _ = await bench.append(readings("a"))
    assert len(bench.store.batches) == 1
    assert bench.logged() == made
    assert bench.store.ledger(KEYS)[T1.key].received == 1


async def test_a_commit_of_unknown_outcome_that_did_not_take_place_is_repeated(bench: Bench):
    bench.store.before_append = [unavailable(), unavailable()]
    bench.store.after_commit = [unavailable()]
    await bench.append(readings("a"))
    assert len(bench.logged()) == 1
    assert bench.store.ledger(KEYS)[T1.key].received == 1


async def test_numbers_do_not_move_while_the_store_is_away(bench: Bench):
    bench.store.before_append = [unavailable()]
    task = asyncio.create_task(bench.append(readings("a")))
    bench.store.before_append += [unavailable()] * 10_000
    await until(lambda: not bench.storing.storing)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.store.before_append.clear()
    await bench.append(readings("a"))
    assert [(f.first, f.last) for f in bench.logged()] == [(1, 1)]


async def test_whatever_must_be_persisted_is_tried_until_the_database_answers(bench: Bench):
    answers: list[object] = [OperationalError("locked"), StoreUnavailableError("away"), "done"]

    async def call(word: str, *, times: int) -> str:
        assert (word, times) == ("x", 2)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert await bench.storing.persist(call, "x", times=2) == "done"
    assert bench.storing.storing


async def test_another_error_is_not_waited_out(bench: Bench):
    async def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await bench.storing.persist(call)


# --- refused -----------------------------------------------------------------------------------


async def test_halving_finds_the_guilty_readings_and_stores_the_rest(bench: Bench):
    bench.store.refuses = {"guilty", "worse"}
    given = readings("a", "b", "guilty", "c", "d", "e", "worse", "f", "g")
    made, refused = await bench.append(given, [refusal()])
    assert [(r.fault.reason, r.device, r.whole) for r in refused] == [("not_storable", T1.key, True)] * 2
    assert all("a value of the readings" in r.fault.detail for r in refused)
    stored = [row.values["mode"] for row in bench.store.rows_page(T1.key, 0, NOW_MS * 2, 0, 100)]
    assert stored == ["a", "b", "c", "d", "e", "f", "g"]
    ledger = bench.store.ledger(KEYS)[T1.key]
    assert (ledger.received, ledger.stored, ledger.rejected) == (10, 7, 3)
    bench.store.check_laws(KEYS)
    assert bench.logged() == made
    sent = [row[4] for frame in made for row in frames.decode_readings(frame.body).rows]
    assert sent == [[mode] for mode in stored]


async def test_the_law_holds_after_every_single_append_of_a_halved_batch(bench: Bench):
    bench.store.refuses = {"guilty"}
    for limit in range(8):
        bench.store.before_append = [None] * limit + [ZeroDivisionError("killed here")]
        await asyncio.gather(bench.append(readings("a", "guilty", "b", "c")), return_exceptions=True)
        bench.store.before_append.clear()
        bench.store.check_laws(KEYS)


async def test_a_single_reading_that_is_refused_is_counted_and_named(bench: Bench):
    bench.store.refuses = {"guilty"}
    change = Change(T1, "online", NOW_MS, "reading")
    made, refused = await bench.append(readings("guilty"), changes=[change])
    assert [r.message for r in refused] == [readings("guilty")[0].message]
    assert [frame.kind for frame in made] == ["states"]
    ledger = bench.store.ledger(KEYS)[T1.key]
    assert (ledger.received, ledger.rejected) == (1, 1)


async def test_a_refusal_counts_at_its_own_device(bench: Bench):
    bench.store.refuses = {"guilty"}
    mixed = [accepted({"mode": "guilty"}), accepted({"mode": "good"}, device=T2)]
    await bench.append(mixed)
    ledgers = bench.store.ledger(KEYS)
    assert (ledgers[T1.key].received, ledgers[T1.key].rejected) == (1, 1)
    assert (ledgers[T2.key].received, ledgers[T2.key].stored) == (1, 1)


async def test_a_halved_batch_also_waits_for_a_store_that_is_away(bench: Bench):
    bench.store.refuses = {"guilty"}
    bench.store.before_append = [None, unavailable(), None, unavailable(), unavailable()]
    bench.store.after_commit = [None, unavailable()]
    _, refused = await bench.append(readings("a", "guilty", "b"))
    assert len(refused) == 1
    bench.store.check_laws(KEYS)
    assert bench.store.ledger(KEYS)[T1.key].received == 3
    bench.logged()
