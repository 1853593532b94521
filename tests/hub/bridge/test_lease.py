"""One bridge at a time per slot: who waits, who takes over, and when a holder must stop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from django.db import DatabaseError

from devices.models import BridgeLease
from hub.bridge import lease as lease_room
from hub.bridge.lease import Lease, LeaseLostError, Seen, Watch
from hub.bridge.process import this_process
from tests.hub.bridge.parts import until

HERE = this_process()
ELSEWHERE = replace(HERE, host="plant-2", machine="another boot", pid=123)
DEAD = replace(HERE, started="1")

pytestmark = pytest.mark.usefixtures("transactional_db")


class Clock:
    now_s = 1_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEASE_LOOK_EVERY_S", "LEASE_RENEW_EVERY_S", "LEASE_RETRY_S"):
        monkeypatch.setattr(lease_room, name, 0.005)


Make = Callable[..., Lease]


@pytest.fixture
async def make(clock: Clock) -> AsyncIterator[Make]:
    """A lease of the slot `main`, of a process of another machine unless told."""
    made: list[Lease] = []

    def _make(here=ELSEWHERE) -> Lease:
        made.append(Lease("main", here, lambda: clock.now_s))
        return made[-1]

    yield _make
    for lease in made:
        await lease.close()


def failing(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Let a question to the database fail until the returned list is emptied."""
    answer, trouble = getattr(lease_room, name), ["the database is away"]

    def ask(*args: object) -> object:
        if trouble:
            raise DatabaseError(trouble[0])
        return answer(*args)

    monkeypatch.setattr(lease_room, name, ask)
    return trouble


# --- when a slot is free: pure -------------------------------------------------------------------


def test_a_holder_that_is_heard_keeps_the_slot():
    watch = Watch(HERE)
    for beat in range(100):
        assert watch.why_free(Seen("a", beat, ELSEWHERE), 5.9 * beat) is None


def test_a_holder_that_was_not_heard_for_six_seconds_is_replaced():
    watch = Watch(HERE)
    assert watch.why_free(Seen("a", 7, ELSEWHERE), 50.0) is None
    assert watch.why_free(Seen("a", 7, ELSEWHERE), 55.9) is None
    assert watch.why_free(Seen("a", 7, ELSEWHERE), 56.0) == (
        "process 123 on host plant-2 was not heard for 6 s"
    )


def test_a_new_holder_is_watched_from_the_start():
    watch = Watch(HERE)
    watch.why_free(Seen("a", 7, ELSEWHERE), 50.0)
    assert watch.why_free(Seen("b", 7, ELSEWHERE), 60.0) is None


def test_a_standby_that_was_frozen_itself_does_not_count_that_time():
    """It decides on the row as it reads it now, and there the beat has moved."""
    watch = Watch(HERE)
    watch.why_free(Seen("a", 7, ELSEWHERE), 50.0)
    assert watch.why_free(Seen("a", 19, ELSEWHERE), 150.0) is None


def test_a_slot_that_nobody_holds_and_one_of_a_dead_process_are_free_at_once():
    assert Watch(HERE).why_free(Seen("", 7, ELSEWHERE), 50.0) == "nobody holds it"
    assert Watch(HERE).why_free(Seen("a", 7, DEAD), 50.0) == f"{DEAD} is dead"
    assert Watch(ELSEWHERE).why_free(Seen("a", 7, DEAD), 50.0) is None


# --- with a database -----------------------------------------------------------------------------


async def test_the_second_waits_says_so_once_and_takes_over_when_the_first_ends(
    make: Make, caplog: pytest.LogCaptureFixture
):
    first, second = make(), make(HERE)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await until(lambda: "holds the slot" in caplog.text)
    await asyncio.sleep(0.05)
    assert caplog.messages.count("Bridge main: process 123 on host plant-2 holds the slot; waiting.") == 1
    assert not waiting.done()
    await first.release()
    await waiting
    assert second.is_valid


async def test_of_two_that_begin_at_once_one_gets_the_slot(make: Make):
    leases = [make(HERE) for _ in range(5)]
    tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.05)
    assert [lease.is_valid for lease in leases].count(True) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_holder_that_was_frozen_renews_before_it_goes_on(make: Make, clock: Clock):
    lease = make()
    await lease.acquire()
    clock.now_s += 60
    assert not lease.is_valid
    await lease.confirm()
    assert lease.is_valid


async def test_a_holder_that_finds_another_there_is_told(make: Make, clock: Clock):
    first, second = make(), make(HERE)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await until(lambda: second._told is not None)
    clock.now_s += 6
    await waiting
    with pytest.raises(LeaseLostError, match="Bridge main: another bridge took the slot over"):
        await first.confirm()
    with pytest.raises(LeaseLostError):
        await first.renew()
    await second.confirm()


async def test_one_that_lost_the_slot_may_wait_for_it_again(make: Make, clock: Clock):
    first, second = make(), make(HERE)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await until(lambda: second._told is not None)
    clock.now_s += 6
    await waiting
    with pytest.raises(LeaseLostError):
        await first.renew()
    again = asyncio.create_task(first.acquire())
    await second.release()
    await again
    await first.confirm()


async def test_a_lease_is_kept_by_renewing(make: Make, clock: Clock):
    lease = make()
    await lease.acquire()
    task = asyncio.create_task(lease.keep())
    for _ in range(3):
        clock.now_s += 5.9
        await until(lambda: lease._valid_until_s == clock.now_s + 6)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_while_the_database_is_away_the_holder_waits_and_then_renews_first(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    lease = make()
    await lease.acquire()
    trouble = failing(monkeypatch, "_renew")
    clock.now_s += 5
    await lease.confirm()
    clock.now_s += 1
    going_on = asyncio.create_task(lease.confirm())
    await until(lambda: not lease.database_answers)
    await asyncio.sleep(0.05)
    assert not going_on.done()
    assert len([line for line in caplog.messages if "will try again" in line]) == 1
    trouble.clear()
    await going_on
    assert lease.is_valid
    assert lease.database_answers


async def test_a_database_that_does_not_say_who_holds_the_slot_is_asked_again(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    lease = make()
    trouble = failing(monkeypatch, "_look")
    waiting = asyncio.create_task(lease.acquire())
    await until(lambda: "does not say who holds the slot: the database is away" in caplog.text)
    assert not lease.database_answers
    trouble.clear()
    await waiting
    assert lease.is_valid


async def test_a_slot_that_was_taken_without_an_answer_is_ours(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The commit took place, the answer was lost: nobody waits for themselves."""
    lease = make()
    take = lease_room._take
    monkeypatch.setattr(lease_room, "_take", lambda *args: _lost_answer(take, *args))
    await asyncio.wait_for(lease.acquire(), 5)
    assert lease.is_valid


def _lost_answer(take: Callable[..., bool], *args: object) -> bool:
    taken = take(*args)
    if BridgeLease.objects.get().beat == 1:
        raise DatabaseError("the connection was lost")
    return taken


async def test_slots_are_held_one_by_one(make: Make, clock: Clock):
    main = make()
    north = Lease("north", HERE, lambda: clock.now_s)
    await main.acquire()
    await north.acquire()
    assert main.is_valid
    assert north.is_valid
    await north.close()


async def test_the_end_is_not_held_up_by_a_database_that_is_away(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    lease = make()
    await lease.acquire()
    failing(monkeypatch, "_release")
    await lease.release()
    assert "could not be given back" in caplog.text
