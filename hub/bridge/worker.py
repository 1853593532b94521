"""The order of the steps, batches, and time: decode, judge, store, forward, acknowledge.

One step runs at a time, so the appends of a source follow each other, and acknowledgements leave
in the order of arrival.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import lru_cache

from hub.bridge import records
from hub.bridge.batch import Judge, Judged
from hub.bridge.forward import Forwarder
from hub.bridge.inbox import Inbox, Message
from hub.bridge.intake import Refusal
from hub.bridge.learning import Lesson
from hub.bridge.ledger import Tally
from hub.bridge.mqtt import Link
from hub.bridge.presence import Change
from hub.bridge.rates import Rates
from hub.bridge.records import Records
from hub.bridge.registry import Changes, DeviceEntry
from hub.bridge.replay import Replaying
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.bridge.telling import Telling
from hub.limits.bridge import (
    BATCH_MAX_MESSAGES,
    BATCH_MAX_READINGS,
    REGISTRY_MAX_AGE_S,
    SILENCE_CHECK_EVERY_S,
    TICK_FAST_ABOVE_ROWS_PER_S,
    TICK_FAST_S,
    TICK_SLOW_S,
)
from hub.protocol import topics
from hub.protocol.topics import DeviceTopic

# Optimization: a topic is parsed once while its device keeps sending (1.6 against 0.1 us a message).
_parse_topic = lru_cache(maxsize=65_536)(topics.parse)


def _topic_of(message: Message) -> DeviceTopic | None:
    """What the topic of a message says; one that is too long to be ours is not remembered."""
    topic = message.topic
    return _parse_topic(topic) if topic is not None and len(topic) <= topics.MAX_TOPIC_CHARS else None


class Worker:
    """Takes messages from the inbox until stopped. `start()` loads what it must know first."""

    def __init__(
        self,
        inbox: Inbox,
        link: Link,
        senders: Senders,
        storing: Storing,
        forwarder: Forwarder,
        records_: Records,
        replaying: Replaying,
    ) -> None:
        self._inbox = inbox
        self._link = link
        self._senders = senders
        self._storing = storing
        self._forwarder = forwarder
        self._records = records_
        self._judge = Judge(senders.registry, senders.presence, senders.tracks, senders.limit, senders.clocks)
        self._replaying = replaying
        self._telling = Telling(link)
        self._stopping = False
        self._silence_checked_s = 0.0
        self._oldest_ms: int | None = None
        self.rates = Rates()

    def lag_ms(self) -> int:
        """How long the oldest message waits that is not acknowledged yet."""
        oldest_ms = self._oldest_ms if self._oldest_ms is not None else self._inbox.oldest_ms
        return max(0, now_ms() - oldest_ms) if oldest_ms is not None else 0

    @property
    def dropped_by_broker(self) -> int | None:
        """What the broker dropped, of any client's, since it started; None until it said so."""
        return self._judge.dropped_by_broker

    async def start(self) -> None:
        """Load the registry, and tell pages what changed while no bridge ran."""
        missed = await self._senders.load()
        judged = self._with_registry(missed)
        # A bridge that died may not have written down that a device was switched off.
        judged.changes.extend(self._switched_off(self._senders.registry.devices.values()))
        await self._finish([], judged, Tally(self._senders.tracks))

    def stop(self) -> None:
        """End after the step under way."""
        self._stopping = True

    async def run(self) -> None:
        """One step after another, at the pace of the tick."""
        while not self._stopping:
            started_s = time.monotonic()
            messages = self._inbox.take(BATCH_MAX_MESSAGES)
            is_drained = not len(self._inbox)
            self._link.resume_if_drained()
            await self._step(messages)
            if is_drained:
                self._senders.limit.drained(now_ms())
            await self._replaying.run_due(self._refresh, self._take_again)
            if len(self._inbox) >= BATCH_MAX_MESSAGES:
                continue
            busy = self.rates.total_per_s > TICK_FAST_ABOVE_ROWS_PER_S
            tick_s = TICK_FAST_S if busy else TICK_SLOW_S
            await asyncio.sleep(max(0.0, started_s + tick_s - time.monotonic()))
            if not len(self._inbox):
                await self._pause()

    async def _pause(self) -> None:
        """Until a message comes, which then leaves at once, or registry and silence are due again."""
        try:
            async with asyncio.timeout(REGISTRY_MAX_AGE_S / 4):
                await self._inbox.wait()
        except TimeoutError:
            return

    async def _step(self, messages: list[Message]) -> None:
        self._oldest_ms = messages[0].arrived_ms if messages else None
        parsed = [(message, _topic_of(message)) for message in messages]
        uids = {topic.device_id for _, topic in parsed if topic is not None}
        changes = await self._senders.changes(uids)
        judged = self._with_registry(changes) if changes is not None else Judged()
        await self._senders.know(uids)
        tally = Tally(self._senders.tracks)
        done: list[Message] = []
        for message, topic in parsed:
            lesson = self._judge.message(message, topic, tally, judged)
            if lesson is not None:
                await self._finish(done, judged, tally)
                done, judged, tally = [], await self._learned(lesson, uids), Tally(self._senders.tracks)
                self._judge.message(message, topic, tally, judged, learns=False)
            done.append(message)
            if judged.num_readings >= BATCH_MAX_READINGS:
                await self._finish(done, judged, tally)
                done, judged, tally = [], Judged(), Tally(self._senders.tracks)
        judged.changes.extend(self._fallen_silent())
        await self._finish(done, judged, tally)
        self._oldest_ms = None

    async def _learned(self, lesson: Lesson, uids: set[str]) -> Judged:
        """A batch that begins with what a type has learnt: its frame goes before the readings."""
        judged = self._with_registry(await self._senders.learn(lesson))
        await self._senders.know(uids)
        return judged

    async def _refresh(self, uids: set[str]) -> None:
        changes = await self._senders.changes(uids, at_once=True)
        if changes is not None:
            await self._finish([], self._with_registry(changes), Tally(self._senders.tracks))
        await self._senders.know(uids)

    async def _take_again(self, message: Message, topic: DeviceTopic) -> list[Refusal]:
        judged, tally = Judged(), Tally(self._senders.tracks)
        lesson = self._judge.replayed(message, topic, tally, judged)
        if lesson is not None:
            judged = await self._learned(lesson, {topic.device_id})
            self._judge.replayed(message, topic, tally, judged, learns=False)
        return await self._finish([], judged, tally)

    async def _finish(self, messages: list[Message], judged: Judged, tally: Tally) -> list[Refusal]:
        """Store, write down, forward; then, and only then, acknowledge. Returns what was refused."""
        refusals: list[Refusal] = []
        if judged:
            frames, not_storable = await self._storing.store(judged, tally.arrivals())
            self._forwarder.frames(frames)
            refusals = [*judged.refusals, *not_storable]
            if refusals or judged.changes or judged.skews:
                write = self._records.run
                await self._storing.persist(write, records.write, refusals, judged.changes, judged.skews)
                self._telling.tell(refusals, now_ms())
            self.rates.count(judged)
        await self._storing.confirm()
        self._link.acknowledge(messages)
        return refusals

    def _with_registry(self, changes: Changes) -> Judged:
        """Take changes of the registry over; devices that were switched off are offline from now."""
        moved = self._senders.apply(changes)
        changes.removed.extend(moved)
        return Judged(registry=changes, changes=self._switched_off(changes.devices))

    def _switched_off(self, devices: Iterable[DeviceEntry]) -> list[Change]:
        presence, at_ms = self._senders.presence, now_ms()
        ended = [presence.disabled(device, at_ms) for device in devices if not device.enabled]
        return [change for change in ended if change is not None]

    def _fallen_silent(self) -> list[Change]:
        now_s = time.monotonic()
        since_ms = self._link.receiving_since_ms
        if now_s - self._silence_checked_s < SILENCE_CHECK_EVERY_S or since_ms is None:
            return []
        self._silence_checked_s = now_s
        # What waits here may be from any device: its silence is looked at up to then.
        judged_until_ms = self._inbox.oldest_ms or now_ms()
        return self._senders.presence.due(judged_until_ms, since_ms, self._senders.registry)
