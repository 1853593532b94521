"""Batches into the store: retried while it is unreachable, halved while it refuses the data."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, ParamSpec, TypeVar

import msgspec

from hub.bridge.batch import Judged
from hub.bridge.intake import Accepted, Refusal
from hub.bridge.numbering import Numbering
from hub.bridge.records import RecordsError
from hub.bridge.registry import Registry
from hub.history.store import (
    Arrivals,
    Batch,
    HistoryStore,
    Reading,
    StoreRefusedError,
    StoreUnavailableError,
)
from hub.limits.bridge import STORE_RETRY_MAX_S, STORE_RETRY_MIN_S
from hub.protocol.frames import Frame
from hub.protocol.telemetry import Fault

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

NOT_STORABLE: Final = "not_storable"


def now_ms() -> int:
    """The hub's clock: Unix milliseconds."""
    return time.time_ns() // 1_000_000


async def nobody_else() -> None:
    """For one who shares its slot with nobody."""


class Storing:
    """Appends batches of one source. `storing` is false from a failed try to the next good one.

    `confirm` returns when this bridge may write and acknowledge, and raises when another one may.
    """

    def __init__(
        self,
        store: HistoryStore,
        numbering: Numbering,
        registry: Registry,
        confirm: Callable[[], Awaitable[None]] = nobody_else,
    ) -> None:
        self._store = store
        self._numbering = numbering
        self._registry = registry
        self._framed_version = 0
        self.confirm = confirm
        self.storing = True
        self.storing_since_ms = now_ms()

    async def store(
        self, judged: Judged, arrivals: Mapping[int, Arrivals]
    ) -> tuple[list[Frame], list[Refusal]]:
        """Store a batch; returns its frames, and refusals for readings that the store refuses."""
        accepted = judged.accepted
        try:
            return await self._append(accepted, arrivals, judged), []
        except StoreRefusedError as error:
            logger.warning("The store refuses a batch of %d readings: %s", len(accepted), error)
        refusals: list[Refusal] = []
        made = await self._append([], _without(arrivals, accepted), judged)
        for half in _halves(accepted):
            made += await self._append_halving(half, refusals)
        return made, refusals

    async def persist(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call until the database answers, with jittered backoff; nothing is given up."""
        delay_s = STORE_RETRY_MIN_S
        while True:
            await self.confirm()
            try:
                result = await call(*args, **kwargs)
            except (StoreUnavailableError, RecordsError) as error:
                self._turn(storing=False, why=error)
                await asyncio.sleep(random.uniform(delay_s / 2, delay_s))  # noqa: S311
                delay_s = min(delay_s * 2, STORE_RETRY_MAX_S)
            else:
                self._turn(storing=True)
                return result

    def _turn(self, *, storing: bool, why: Exception | None = None) -> None:
        if storing == self.storing:
            return
        self.storing = storing
        self.storing_since_ms = now_ms()
        if why is None:
            logger.info("Storing again.")
        else:
            logger.error("Not storing, will try again; the broker holds what arrives: %s", why)

    async def _append_halving(self, readings: Sequence[Accepted], refusals: list[Refusal]) -> list[Frame]:
        received = Counter(reading.device.key for reading in readings)
        arrivals = {key: Arrivals(received=count) for key, count in received.items()}
        try:
            return await self._append(readings, arrivals)
        except StoreRefusedError as error:
            if len(readings) == 1:
                guilty = readings[0]
                refusals.append(_refusal(guilty, error))
                return await self._append([], {guilty.device.key: Arrivals(received=1, rejected=1)})
        made: list[Frame] = []
        for half in _halves(readings):
            made += await self._append_halving(half, refusals)
        return made

    async def _append(
        self, readings: Sequence[Accepted], arrivals: Mapping[int, Arrivals], judged: Judged | None = None
    ) -> list[Frame]:
        """One transaction; the numbers of its frames are taken once it is committed."""
        await self.confirm()
        at_ms = now_ms()
        draft = self._numbering.draft(at_ms)
        framed_version = self._framed_version
        if judged is not None:
            if judged.registry is not None:
                draft.registry(judged.registry)
                framed_version = max(framed_version, judged.registry.version)
            draft.states(judged.changes)
        draft.readings(readings, self._registry)
        # With every append, so that the version outlives the heads of quiet types.
        versions = {(frame.device_type, frame.source): framed_version for frame in draft.frames}
        rows = [Reading(r.device.key, r.ts_ms, r.received_ms, r.seq, r.values) for r in readings]
        batch = Batch(at_ms, rows, arrivals, draft.frames, versions)
        try:
            await asyncio.to_thread(self._store.append, batch)
        except StoreUnavailableError as error:
            self._turn(storing=False, why=error)
            await self.persist(asyncio.to_thread, self._append_again, batch)
        self._numbering.commit(draft.frames)
        self._framed_version = framed_version
        return draft.frames

    def _append_again(self, batch: Batch) -> None:
        """The try before may have been committed without our hearing of it."""
        if not self._is_stored(batch.frames):
            self._store.append(batch)

    def _is_stored(self, frames: Sequence[Frame]) -> bool:
        """Whether a commit of unknown outcome took place: its last entry is then known."""
        if not frames:
            return False
        newest = frames[-1]
        head = self._store.heads(newest.device_type).get(newest.source)
        return head is not None and head.last >= newest.last


def _halves(readings: Sequence[Accepted]) -> list[Sequence[Accepted]]:
    middle = (len(readings) + 1) // 2
    return [half for half in (readings[:middle], readings[middle:]) if half]


def _without(arrivals: Mapping[int, Arrivals], accepted: Sequence[Accepted]) -> dict[int, Arrivals]:
    """The arrivals less the readings that are appended on their own."""
    later = Counter(reading.device.key for reading in accepted)
    return {
        key: msgspec.structs.replace(entry, received=entry.received - later[key])
        for key, entry in arrivals.items()
    }


def _refusal(reading: Accepted, error: StoreRefusedError) -> Refusal:
    device = reading.device
    fault = Fault(NOT_STORABLE, f"the database refuses the reading: {error}")
    return Refusal(device.key, device.uid, device.type_slug, fault, reading.message, True)
