"""Rejected payloads taken once more, as new arrivals with their original time of arrival.

Each is a batch of its own. Between its store and the note of its outcome the bridge may die: then it is
taken again, which the ledger counts as an arrival, and the store as duplicates.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from devices import replays
from devices.rejections import clean
from devices.replays import Outcome, Requested
from hub.bridge.inbox import Message
from hub.bridge.intake import Refusal
from hub.bridge.records import Records
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.history.store import HistoryStore, Ledger
from hub.limits.bridge import REJECTION_DETAIL_CHARS, REPLAY_EVERY_S, REPLAYS_PER_LOOK
from hub.protocol import topics
from hub.protocol.topics import DeviceTopic

NO_CONNECTION: Final = -1
"""What is taken once more came on no connection, and is acknowledged to none."""

Refresh = Callable[[set[str]], Awaitable[None]]
"""Make sure that what is known of these devices, by id, is not older than the wish to take more of theirs."""

Take = Callable[[Message, DeviceTopic], Awaitable[Sequence[Refusal]]]
"""Judge a message, store it and write it down; returns what was refused of it."""


class Replaying:
    """Looks once a second for payloads that somebody asked for, and has them taken."""

    def __init__(self, store: HistoryStore, senders: Senders, storing: Storing, records_: Records) -> None:
        self._store = store
        self._senders = senders
        self._storing = storing
        self._records = records_
        self._looked_s = 0.0

    async def run_due(self, refresh: Refresh, take: Take) -> None:
        """Have taken what waits, if it is time to look; at most REPLAYS_PER_LOOK."""
        now_s = time.monotonic()
        if now_s - self._looked_s < REPLAY_EVERY_S:
            return
        self._looked_s = now_s
        persist, run = self._storing.persist, self._records.run
        waiting = await persist(run, replays.waiting, REPLAYS_PER_LOOK)
        if waiting:
            await refresh({requested.uid for requested in waiting})
        for requested in waiting:
            outcome = await self._outcome(requested, take)
            await persist(run, replays.finish, requested.id, outcome, now_ms())

    async def _outcome(self, requested: Requested, take: Take) -> Outcome:
        """Counted by the device's ledger, which nobody else writes meanwhile: that tells what became
        of the readings also when a commit went through whose answer was lost."""
        message = _message(requested)
        topic = topics.parse(message.topic or "")
        if topic is None:
            return Outcome(rejected=1, reason="bad_topic", detail="The topic is none that a device may use.")
        before = await self._ledger(requested.uid)
        refusals = await take(message, topic)
        return _difference(before, await self._ledger(requested.uid), refusals)

    async def _ledger(self, uid: str) -> Ledger:
        device = self._senders.registry.devices.get(uid)
        if device is None:
            return Ledger()
        ledgers = await self._storing.persist(asyncio.to_thread, self._store.ledger, [device.key])
        return ledgers.get(device.key, Ledger())


def _message(requested: Requested) -> Message:
    topic = topics.telemetry(requested.type_slug, requested.uid)
    return Message(topic, requested.payload, 0, 0, False, requested.arrived_ms, NO_CONNECTION)


def _difference(before: Ledger, after: Ledger, refusals: Sequence[Refusal]) -> Outcome:
    first = refusals[0].fault if refusals else None
    return Outcome(
        stored=max(0, after.stored - before.stored),
        updated=max(0, after.updated - before.updated),
        duplicate=max(0, after.duplicate - before.duplicate),
        rejected=sum(refusal.whole for refusal in refusals),
        reason=first.reason if first else "",
        detail=clean(first.detail, REJECTION_DETAIL_CHARS) if first else "",
    )
