"""Relays against a real frame log: every frame once and in order, whatever the layer does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from dashboard import relay as relay_module
from dashboard.outbox import Outbox
from dashboard.relay import Relay, Relays
from hub.history.store import HistoryStore, StoreUnavailableError
from hub.protocol.frames import frame_event, group_name
from tests.dashboard.making import SOURCE, TYPE, numbered

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into the log every 0.2 s instead of every 5 s, with the layer down every 0.05 s."""
    monkeypatch.setattr(relay_module, "RELAY_HEADS_EVERY_S", 0.2)
    monkeypatch.setattr(relay_module, "RELAY_HEADS_EVERY_WITHOUT_LAYER_S", 0.05)


class Watched:
    """A relay and the rows that a socket on it would get."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.awake = asyncio.Event()

    async def start(self) -> None:
        self.relay.start()
        await self.relay.ready()
        self.relay.attach(self, self.awake.set)
        self.outbox = Outbox(self.relay.ring, '"s"')
        self.outbox.open()

    @property
    def numbers(self) -> list[int]:
        return [int(row.ts_ms) for entry in self.relay.ring.entries for row in entry.rows]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self.awake.wait()
                self.awake.clear()


@pytest_asyncio.fixture
async def watched(layer: Any, history: HistoryStore) -> AsyncIterator[Watched]:
    found = Watched(Relay(TYPE, history, layer, lambda: True))
    yield found
    await found.relay.stop()


async def send(layer: Any, *frames: Any) -> None:
    for frame in frames:
        await layer.group_send(group_name(TYPE), frame_event(frame))


async def test_what_was_logged_before_the_start_is_not_relayed(watched: Any, log: Any, publish: Any) -> None:
    first, second = numbered(2)
    await log(first)
    await watched.start()
    await publish(second)
    await watched.until(lambda: len(watched.numbers) == 1)
    assert watched.numbers == [2]
    assert watched.relay.ring.cursor.endswith(f"{SOURCE}:2")


async def test_a_hole_is_read_from_the_log_at_once_and_in_order(watched: Any, log: Any, layer: Any) -> None:
    await watched.start()
    frames = numbered(6)
    for frame in frames:
        await log(frame)
    await send(layer, frames[0], frames[3], frames[5])
    await watched.until(lambda: len(watched.numbers) == 6)
    assert watched.numbers == [1, 2, 3, 4, 5, 6]
    assert watched.relay.lost == 0


async def test_a_source_first_heard_in_the_middle_is_read_from_its_beginning(
    watched: Any, log: Any, layer: Any
) -> None:
    await watched.start()
    frames = numbered(3, source="main-2")
    for frame in frames:
        await log(frame)
    await send(layer, frames[2])
    await watched.until(lambda: len(watched.numbers) == 3)
    assert watched.numbers == [1, 2, 3]


async def test_duplicates_are_dropped(watched: Any, publish: Any, layer: Any) -> None:
    await watched.start()
    first, second = numbered(2)
    await publish(first)
    await send(layer, first, first)
    await publish(second)
    await watched.until(lambda: len(watched.numbers) == 2)
    assert watched.numbers == [1, 2]


async def test_a_lost_tail_is_found_without_another_frame(watched: Any, log: Any) -> None:
    await watched.start()
    for frame in numbered(2):
        await log(frame)
    await watched.until(lambda: len(watched.numbers) == 2)


async def test_more_than_a_page_of_the_log_is_repaired(
    watched: Any, log: Any, layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "RELAY_LOG_PAGE_FRAMES", 2)
    await watched.start()
    frames = numbered(7)
    for frame in frames:
        await log(frame)
    await send(layer, frames[6])
    await watched.until(lambda: len(watched.numbers) == 7)
    assert watched.numbers == list(range(1, 8))


async def test_entries_that_the_log_has_lost_are_counted_and_the_rest_goes_on(
    watched: Any, log: Any, layer: Any
) -> None:
    await watched.start()
    frames = numbered(4)
    await log(frames[3])
    await send(layer, frames[3])
    await watched.until(lambda: len(watched.numbers) == 1)
    assert watched.relay.lost == 3


async def test_what_is_no_frame_is_ignored(watched: Any, publish: Any, layer: Any) -> None:
    await watched.start()
    await layer.group_send(group_name(TYPE), {"type": "hub.frame", "body": 7})
    await publish(numbered(1)[0])
    await watched.until(lambda: len(watched.numbers) == 1)


class DownLayer:
    """A channel layer whose server is away."""

    async def new_channel(self) -> str:
        raise ConnectionError("nobody there")

    async def group_discard(self, *_: str) -> None:
        raise ConnectionError("nobody there")


async def test_with_the_layer_down_frames_come_from_the_log(history: HistoryStore, log: Any) -> None:
    watched = Watched(Relay(TYPE, history, DownLayer(), lambda: False))
    await watched.start()
    for frame in numbered(3):
        await log(frame)
    await watched.until(lambda: len(watched.numbers) == 3)
    assert watched.numbers == [1, 2, 3]
    await watched.relay.stop()


async def test_with_the_frame_log_away_for_a_moment_nothing_is_lost(
    watched: Any, log: Any, layer: Any, history: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.start()
    frames = numbered(3)
    for frame in frames:
        await log(frame)
    tries = iter([StoreUnavailableError("locked"), StoreUnavailableError("locked")])
    page = history.frames_page

    def sometimes(*args: Any) -> Any:
        if (error := next(tries, None)) is not None:
            raise error
        return page(*args)

    monkeypatch.setattr(history, "frames_page", sometimes)
    await send(layer, frames[2])
    await watched.until(lambda: len(watched.numbers) == 3)
    assert watched.numbers == [1, 2, 3]


async def test_a_relay_nobody_watches_is_stopped_after_its_linger(layer: Any, history: HistoryStore) -> None:
    relays = Relays(lambda: history, layer, lambda: True, linger_s=60)
    relay = await relays.get(TYPE)
    relay.attach(self := object(), lambda: None)
    await relays.sweep(time.monotonic() + 61)
    assert await relays.get(TYPE) is relay
    relay.detach(self)
    await relays.sweep(time.monotonic() + 59)
    assert await relays.get(TYPE) is relay
    await relays.sweep(time.monotonic() + 61)
    assert await relays.get(TYPE) is not relay
    await relays.stop()
    assert not [task for task in asyncio.all_tasks() if "relay" in task.get_name()]
