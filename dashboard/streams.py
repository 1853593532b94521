"""One stream of one socket: how it begins (snapshot or replay) and what it sends then."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import msgspec
from django.db import Error as DatabaseError

from dashboard.merging import Merger
from dashboard.messages import (
    ErrorCode,
    Refusal,
    Reset,
    Resumed,
    Snapshot,
    Subscribe,
    Summary,
    TypeCounts,
    TypeSummary,
)
from dashboard.outbox import Outbox
from dashboard.relay import Relay, Relays
from dashboard.resuming import Replay, cursor_of
from dashboard.snapshot import read_snapshot
from dashboard.threads import in_thread
from dashboard.wire import Wire
from devices.access import Viewer
from hub.history.store import HistoryStore, StoreError
from hub.protocol.frames import Frame

logger = logging.getLogger(__name__)


class Stream(Protocol):
    """What a socket knows of each of its streams."""

    name: str

    @property
    def due_s(self) -> float: ...
    @property
    def cursor(self) -> str | None: ...
    @property
    def device_type(self) -> str | None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def take(self, now_s: float) -> str | None: ...
    def ack(self, frame: int) -> bool: ...
    def unacked_s(self, now_s: float) -> float: ...


class SummaryStream:
    """Every visible device type with its counts; told once a second by who owns the clock."""

    due_s = 0.0
    cursor = None
    device_type = None

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self._wire = wire

    def start(self) -> None:
        """Nothing to prepare."""

    def stop(self) -> None:
        """Nothing to end."""

    def tell(self, counts: dict[str, TypeCounts], visible: frozenset[str]) -> None:
        types = [
            TypeSummary(slug=slug, **msgspec.structs.asdict(found))
            for slug, found in sorted(counts.items())
            if slug in visible
        ]
        self._wire.say(Summary(self.name, types))

    def take(self, now_s: float) -> str | None:
        return None

    def ack(self, frame: int) -> bool:
        return False

    def unacked_s(self, now_s: float) -> float:
        return 0.0


class TypeStream:
    """The frames of one device type. `refused` is called with what became of a subscription that failed."""

    def __init__(
        self,
        request: Subscribe,
        viewer: Viewer,
        wire: Wire,
        relays: Relays,
        history: Callable[[], HistoryStore],
        refused: Callable[["TypeStream", Refusal], None],
    ) -> None:
        self.name = request.stream
        self.device_type = request.device_type or ""
        self._request = request
        self._wanted = None if request.devices is None else frozenset(request.devices)
        self._viewer = viewer
        self._wire = wire
        self._relays = relays
        self._history = history
        self._refused = refused
        self._outbox: Outbox | None = None
        self._relay: Relay | None = None
        self._task: asyncio.Task[None] | None = None
        self._sent = asyncio.Event()

    def start(self) -> None:
        self._run(self._begin(), "subscribe")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._relay is not None:
            self._relay.detach(self)

    # --- as the writer and the socket see it ---------------------------------------------

    @property
    def due_s(self) -> float:
        return self._outbox.due_s if self._outbox is not None else 0.0

    @property
    def cursor(self) -> str | None:
        return self._outbox.cursor if self._outbox is not None else None

    def take(self, now_s: float) -> str | None:
        outbox = self._outbox
        if outbox is None:
            return None
        text = outbox.take(now_s)
        if text is None:
            if not outbox.is_replaying:
                self._sent.set()
            if outbox.has_fallen_out and (self._task is None or self._task.done()):
                self._run(self._read_what_fell_out(), "catch up")
        return text

    def ack(self, frame: int) -> bool:
        if self._outbox is None:
            return False
        # Optimization: whose window was open has nothing waiting, and need not be woken.
        if self._outbox.is_full:
            self._wire.wake()
        return self._outbox.ack(frame)

    def unacked_s(self, now_s: float) -> float:
        return self._outbox.unacked_s(now_s) if self._outbox is not None else 0.0

    # --- how it begins -----------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self._task = asyncio.create_task(self._guard(work), name=f"{what} {self.name}")

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Refusal as refusal:
            self._refused(self, refusal)
        except (StoreError, DatabaseError) as error:
            logger.warning("The stream %r of %s cannot be read: %s", self.name, self.device_type, error)
            detail = "The hub cannot read its database at the moment; subscribe again in a few seconds."
            self._refused(self, Refusal(ErrorCode.UNAVAILABLE, detail))
        except Exception:
            logger.exception("The stream %r of %s failed.", self.name, self.device_type)
            self._refused(self, Refusal(ErrorCode.UNAVAILABLE, "The hub failed; subscribe again."))

    async def _begin(self) -> None:
        if not await in_thread(self._viewer.sees_type, self.device_type):
            raise self._unknown_type()
        relay = await self._relays.get(self.device_type)
        name_json = msgspec.json.encode(self.name).decode()
        outbox = Outbox(relay.ring, name_json, self._wanted, self._request.max_hz)
        self._outbox, self._relay = outbox, relay
        # First the place in the ring, then the snapshot: a repeat is harmless, a hole is not.
        relay.attach(self, self._wire.wake)
        if not await self._resume(relay, outbox):
            await self._send_snapshot(outbox)
        outbox.open()
        self._wire.wake()

    async def _send_snapshot(self, outbox: Outbox) -> None:
        history = await asyncio.to_thread(self._history)
        found = await in_thread(read_snapshot, self._viewer, history, self.device_type, self._wanted)
        if found is None:
            raise self._unknown_type()
        for index, devices in enumerate(found.parts, start=1):
            part = Snapshot(self.name, index, len(found.parts), outbox.cursor, found.device_type, devices)
            await self._wire.say_in_turn(part)

    async def _resume(self, relay: Relay, outbox: Outbox) -> bool:
        """Send what came since the client's cursor; False (and a reset said) when that cannot be."""
        if self._request.resume is None:
            return False
        cursor = cursor_of(self._request.resume, self.device_type)
        if cursor is None:
            self._wire.say(Reset(self.name, "bad_cursor", None))
            return False
        replay = Replay(cursor, await relay.heads(), relay.positions)
        page = await relay.log_page(replay.positions)
        if replay.is_cut(page):
            missed = replay.missed() if self._wanted is None else None
            self._wire.say(Reset(self.name, "too_long_ago", missed))
            return False
        position, ring_cursor = outbox.position, outbox.cursor
        while True:
            await self._send_all(outbox, replay, page)
            if replay.is_done or not page:
                break
            page = await relay.log_page(replay.positions)
        outbox.adopt((), position, ring_cursor)
        self._wire.say(Resumed(self.name, outbox.recovered, replay.lost))
        return True

    async def _send_all(self, outbox: Outbox, replay: Replay, page: Sequence[Frame]) -> None:
        outbox.replay(replay.entries(page, time.monotonic()))
        self._sent.clear()
        self._wire.wake()
        await self._sent.wait()

    async def _read_what_fell_out(self) -> None:
        """Merge what left the ring before it could be sent, from the frame log."""
        outbox, relay = self._outbox, self._relay
        assert outbox is not None
        assert relay is not None
        cursor = cursor_of(outbox.cursor, self.device_type)
        until = cursor_of(relay.ring.start_cursor, self.device_type)
        assert cursor is not None
        assert until is not None
        position = relay.ring.start
        replay = Replay(cursor, {}, until.positions)
        merger = Merger(self._wanted)
        while not replay.is_done and (page := await relay.log_page(replay.positions)):
            await asyncio.to_thread(merger.add_all, replay.entries(page, time.monotonic()))
        outbox.adopt(merger.parts(outbox.cursor, until.encode()), position, until.encode())
        self._wire.wake()

    def _unknown_type(self) -> Refusal:
        detail = f"There is no device type {self.device_type!r} that you may see."
        return Refusal(ErrorCode.UNKNOWN_DEVICE_TYPE, detail)
