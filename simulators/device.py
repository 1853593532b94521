"""One simulated device: measures by the clock, keeps what it cannot send, fills in its past."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from hub.limits.simulators import (
    SIMULATOR_BACKFILL_EVERY_S,
    SIMULATOR_INFLIGHT_MESSAGES,
    SIMULATOR_OUTBOX_READINGS,
)
from hub.limits.telemetry import MAX_READINGS_PER_MESSAGE
from simulators.connection import Connection, Doorway
from simulators.readings import Track, first_past_moment, next_due, past_step, phase, take_message
from simulators.registration import Registered
from simulators.tally import Tally

_LATE_INTERVALS: Final = 10
"""A device this late leaves readings out, as one does that was asleep."""


class RejectionNote(msgspec.Struct, frozen=True):
    """What the hub says on a device's `rejections` topic (design 4.2)."""

    reason: str = "unknown"
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """When a device measures: every `interval_ms`, and its past from `past_from_ms` (None: no past)."""

    interval_ms: int
    past_from_ms: int | None = None
    past_every_ms: int = SIMULATOR_BACKFILL_EVERY_S * 1000


class SimulatedDevice:
    """Measures with a Track, sends over a Connection, counts in the fleet's Tally.

    Needs two tasks: `connection.run()` and `run()`.
    """

    def __init__(
        self,
        registered: Registered,
        track: Track,
        pace: Pace,
        doorway: Doorway,
        tally: Tally,
        clock: Callable[[], int],
        seed: int,
        capacity: int = SIMULATOR_OUTBOX_READINGS,
    ) -> None:
        self.device_id = registered.plan.device_id
        rng = random.Random(f"{seed}:{self.device_id}:connection")
        self.connection = Connection(registered.account, doorway, self, rng)
        self._track = track
        self._pace = pace
        self._phase_ms = int(phase(registered.plan.index) * pace.interval_ms)
        self._newest_ms = registered.latest.newest_ms()
        self._tally = tally
        self._clock = clock
        self._capacity = capacity
        self._outbox: deque[bytes] = deque()
        self._inflight: dict[int, int] = {}
        self._was_up = False
        self._refused = False

    async def run(self, filling: asyncio.Semaphore) -> None:
        """First the past, while `filling` admits it, then the present, until cancelled."""
        if self._pace.past_from_ms is not None:
            await self.connection.up.wait()
            async with filling:
                await self._fill_past(self._pace.past_from_ms)
            self._tally.filled += 1
        await self._live()

    async def _fill_past(self, past_from_ms: int) -> None:
        """Send the past up to now as arrays, each acknowledged before the next is made.

        The last minutes at the live interval, so that a chart of them is not empty at first sight.
        """
        every_ms = self._pace.past_every_ms
        moment_ms = first_past_moment(past_from_ms, self._newest_ms, every_ms)
        waiting: deque[bytes] = deque()
        while True:
            while len(waiting) < MAX_READINGS_PER_MESSAGE and moment_ms < self._clock():
                waiting.append(self._track.past(moment_ms))
                moment_ms += past_step(self._clock() - moment_ms, every_ms, self._pace.interval_ms)
            if not waiting:
                return
            payload, num_readings = take_message(waiting)
            self._tally.published += num_readings
            await self.connection.deliver(payload)
            self._tally.acknowledged += num_readings
            self._tally.filled_readings += num_readings

    async def _live(self) -> None:
        interval_ms = self._pace.interval_ms
        due_ms = next_due(self._clock(), interval_ms, self._phase_ms)
        while True:
            await asyncio.sleep(max(0, due_ms - self._clock()) / 1000)
            self._keep(self._track.live(due_ms))
            self._send()
            due_ms += interval_ms
            ahead_ms = due_ms - self._clock()
            if not -_LATE_INTERVALS * interval_ms <= ahead_ms <= 2 * interval_ms:
                due_ms = next_due(self._clock(), interval_ms, self._phase_ms)

    def _keep(self, reading: bytes) -> None:
        self._tally.measured += 1
        if len(self._outbox) >= self._capacity:
            self._outbox.popleft()
            self._tally.dropped += 1
            self._tally.stored -= 1
        self._outbox.append(reading)
        self._tally.stored += 1

    def _send(self) -> None:
        """Send what waits: a single reading at once, a backlog as one array at a time."""
        while self._outbox and self.connection.up.is_set():
            limit = 1 if len(self._outbox) > 1 else SIMULATOR_INFLIGHT_MESSAGES
            if len(self._inflight) >= limit:
                return
            payload, num_readings = take_message(self._outbox)
            self._tally.stored -= num_readings
            mid = self.connection.publish(payload)
            if mid is None:
                self._tally.dropped += num_readings
                continue
            self._inflight[mid] = num_readings
            self._tally.published += num_readings

    # --- what the connection tells -------------------------------------------------------

    def on_up(self) -> None:
        self._tally.connected += 1
        self._tally.ever_connected += not self._was_up
        self._was_up = True
        self._note_refused(False)
        self._send()

    def on_down(self) -> None:
        self._tally.connected -= 1

    def on_acknowledged(self, mid: int) -> None:
        num_readings = self._inflight.pop(mid, 0)
        if num_readings:
            self._tally.acknowledged += num_readings
            self._send()

    def on_rejection(self, payload: bytes) -> None:
        try:
            note = msgspec.json.decode(payload, type=RejectionNote)
        except (msgspec.DecodeError, UnicodeDecodeError):
            note = RejectionNote(detail="the hub's note could not be read")
        self._tally.rejected += note.count
        self._tally.last_rejection = f"{self.device_id}: {note.reason} {note.detail}".rstrip()

    def on_trouble(self, sentence: str, refused: bool) -> None:
        self._tally.trouble = sentence
        self._note_refused(refused)

    def _note_refused(self, refused: bool) -> None:
        self._tally.refused += refused - self._refused
        self._refused = refused
