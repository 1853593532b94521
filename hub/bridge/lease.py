"""The lease of a slot: one bridge at a time, the others wait.

No clock is compared with another machine's. The holder adds one to `beat` every 2 s; who waits sees by
its own clock how long the beat has stood still, and takes over after 6 s. The holder believes in its
lease for 6 s from before the renewal was sent, so it stops no later than anybody may begin. The lock is
an UPDATE that takes effect only on the row as it was seen.

Nothing is lost when two bridges overlap all the same (a holder that was frozen in the middle of a
commit): a commit is idempotent and numbered under its own source. The lease keeps them from throwing
each other off the broker, and from telling the same transitions twice.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from django.db.models import F

from devices.models import BridgeLease
from hub.bridge.process import Process, this_process
from hub.bridge.records import Records, RecordsError
from hub.limits.bridge import (
    LEASE_EXPIRES_S,
    LEASE_LOOK_EVERY_S,
    LEASE_RELEASE_WITHIN_S,
    LEASE_RENEW_EVERY_S,
    LEASE_RETRY_S,
)

logger = logging.getLogger(__name__)

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LeaseLostError(Exception):
    """Another bridge holds the slot."""


class Seen(NamedTuple):
    """The row of a slot as it was read. `holder` "": nobody."""

    holder: str
    beat: int
    process: Process


class Watch:
    """For how long a holder has not been heard, by our own clock. Pure."""

    def __init__(self, here: Process) -> None:
        self._here = here
        self._newest: tuple[str, int] | None = None
        self._since_s = 0.0

    def why_free(self, seen: Seen, now_s: float) -> str | None:
        """Why the slot may be taken, at the moment when the row was read; None: it may not."""
        if not seen.holder:
            return "nobody holds it"
        if seen.process.is_dead(self._here):
            return f"{seen.process} is dead"
        beat = (seen.holder, seen.beat)
        if beat != self._newest:
            self._newest, self._since_s = beat, now_s
        if now_s - self._since_s >= LEASE_EXPIRES_S:
            return f"{seen.process} was not heard for {LEASE_EXPIRES_S:g} s"
        return None


def boot_clock_s() -> float:
    """Seconds that passed, also while the machine slept."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """One bridge's claim to its slot. Lives on one loop."""

    def __init__(
        self, slot: str, here: Process | None = None, clock_s: Callable[[], float] = boot_clock_s
    ) -> None:
        self._slot = slot
        self._here = here or this_process()
        self._clock_s = clock_s
        self._id = secrets.token_hex(8)
        self._records = Records()
        self._renewing = asyncio.Lock()
        self._held = False
        self._valid_until_s = 0.0
        self._told: object = None
        self.database_answers = True

    @property
    def is_valid(self) -> bool:
        """Nobody else can have taken the slot up to now."""
        return self._held and self._clock_s() < self._valid_until_s

    async def acquire(self) -> None:
        """Wait until the slot is ours. Says once for whom it waits, and why it went on."""
        self._told = None
        watch = Watch(self._here)
        while True:
            if await self._try_to_take(watch):
                return
            await asyncio.sleep(LEASE_LOOK_EVERY_S)

    async def keep(self) -> None:
        """Renew until cancelled. LeaseLostError when another bridge holds the slot."""
        while True:
            await asyncio.sleep(LEASE_RENEW_EVERY_S)
            await self.renew()

    async def confirm(self) -> None:
        """Return at once while the lease is valid; otherwise renew first, however long that takes.

        LeaseLostError when another bridge holds the slot.
        """
        if not self.is_valid:
            await self.renew()

    async def renew(self) -> None:
        """Renew, as soon as the database answers. LeaseLostError when another bridge holds the slot."""
        asked_s = self._clock_s()
        async with self._renewing:
            while self._held and self._valid_until_s < asked_s + LEASE_EXPIRES_S:
                if not await self._try_to_renew():
                    await asyncio.sleep(LEASE_RETRY_S)
            if not self._held:
                raise LeaseLostError(f"Bridge {self._slot}: another bridge took the slot over.")

    async def release(self) -> None:
        """Give the slot back, if the database takes it within a second, so that others need not wait."""
        if self._held:
            self._held = False
            released = asyncio.ensure_future(self._records.run(_release, self._slot, self._id))
            done, _ = await asyncio.wait([released], timeout=LEASE_RELEASE_WITHIN_S)
            if not done or released.exception() is not None:
                logger.warning("Bridge %s: the slot could not be given back; it expires.", self._slot)

    async def close(self) -> None:
        """The end: `acquire` is not called again."""
        await self.release()
        await asyncio.to_thread(self._records.close)

    async def _try_to_take(self, watch: Watch) -> bool:
        try:
            seen = await self._records.run(_look, self._slot)
            why = watch.why_free(seen, self._clock_s())
            if seen.holder == self._id:
                why = "it was taken without an answer"
            if why is None:
                self._say(seen.holder, "Bridge %s: %s holds the slot; waiting.", self._slot, seen.process)
            started_s = self._clock_s()
            taken = why is not None and await self._records.run(_take, self._slot, seen, self._id, self._here)
        except RecordsError as error:
            self.database_answers = False
            text = "Bridge %s: the database does not say who holds the slot: %s"
            self._say("database", text, self._slot, error)
            return False
        self.database_answers = True
        if taken:
            self._held, self._valid_until_s, self._told = True, started_s + LEASE_EXPIRES_S, None
            logger.info("Bridge %s: %s took the slot: %s.", self._slot, self._here, why)
        return taken

    async def _try_to_renew(self) -> bool:
        """Whether the database answered; then the lease is renewed or lost."""
        started_s = self._clock_s()
        try:
            self._held = await self._records.run(_renew, self._slot, self._id)
        except RecordsError as error:
            self.database_answers = False
            text = "Bridge %s: the slot cannot be renewed, will try again: %s"
            self._say("database", text, self._slot, error)
            return False
        self.database_answers = True
        self._told = None
        self._valid_until_s = started_s + LEASE_EXPIRES_S
        return True

    def _say(self, what: object, text: str, *values: object) -> None:
        """Log what is new."""
        if what != self._told:
            self._told = what
            logger.warning(text, *values)


def _look(slot: str) -> Seen:
    row = BridgeLease.objects.filter(slot=slot).first()
    if row is None:
        row, _ = BridgeLease.objects.get_or_create(slot=slot)
    return Seen(row.holder, row.beat, Process(row.host, row.machine, row.pid, row.process_started))


def _take(slot: str, seen: Seen, holder: str, process: Process) -> bool:
    """Take the slot if its row is still as it was seen."""
    free = BridgeLease.objects.filter(slot=slot, holder=seen.holder, beat=seen.beat)
    changed = free.update(
        holder=holder,
        beat=seen.beat + 1,
        host=process.host,
        machine=process.machine,
        pid=process.pid,
        process_started=process.started,
    )
    return changed == 1


def _renew(slot: str, holder: str) -> bool:
    return BridgeLease.objects.filter(slot=slot, holder=holder).update(beat=F("beat") + 1) == 1


def _release(slot: str, holder: str) -> None:
    BridgeLease.objects.filter(slot=slot, holder=holder).update(holder="")
