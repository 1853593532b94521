"""The registry kept fresh, and what is remembered of each sender, loaded before it is judged."""

import asyncio
import time
from collections.abc import Iterable

from hub.bridge import learning, records
from hub.bridge import registry as registry_queries
from hub.bridge.clocks import Clocks
from hub.bridge.learning import Lesson
from hub.bridge.ledger import Track, track_of
from hub.bridge.presence import Presence
from hub.bridge.ratelimit import RateLimit
from hub.bridge.records import Records
from hub.bridge.registry import Changes, DeviceEntry, Registry
from hub.bridge.storing import Storing
from hub.history.store import HistoryStore
from hub.limits.bridge import REGISTRY_MAX_AGE_S


class Senders:
    """Registry, presence and tracks in memory, and when they were last compared with the database."""

    def __init__(self, store: HistoryStore, registry: Registry, storing: Storing, records_: Records) -> None:
        self._store = store
        self._storing = storing
        self._records = records_
        self._checked_s = 0.0
        self.registry = registry
        self.presence = Presence()
        self.limit = RateLimit()
        self.clocks = Clocks()
        self.tracks: dict[int, Track] = {}

    async def load(self) -> Changes:
        """Everything, at the start of a bridge; returns what pages were not told yet."""
        persist, run = self._storing.persist, self._records.run
        everything = await persist(run, registry_queries.load_all)
        self.registry.apply(everything)
        self.presence.load(await persist(run, records.load_states))
        self.clocks.load(await persist(run, records.load_clocks))
        framed = await persist(asyncio.to_thread, self._framed_version, everything.type_slugs)
        self._checked_s = time.monotonic()
        return await persist(run, registry_queries.load_changes, framed)

    def _framed_version(self, slugs: Iterable[str]) -> int:
        """The registry version up to which pages were told.

        The newest of any type: an append frames whatever changed since the one before it.
        """
        heads = (head for slug in slugs for head in self._store.heads(slug).values())
        return max((head.registry_version for head in heads), default=0)

    async def changes(self, uids: set[str], *, at_once: bool = False) -> Changes | None:
        """What changed in the registry since the last look, if that is older than allowed.

        It is looked at at once for ids that are new to us: device and type come together.
        """
        now_s = time.monotonic()
        new = self.registry.to_look_up(uids, now_s)
        if not new and not at_once and now_s - self._checked_s < REGISTRY_MAX_AGE_S / 2:
            return None
        persist, run = self._storing.persist, self._records.run
        version = await persist(run, registry_queries.load_version)
        self._checked_s = time.monotonic()
        changes = None
        if version != self.registry.version:
            changes = await persist(run, registry_queries.load_changes, self.registry.version)
        found = {entry.uid for entry in changes.devices} if changes else set()
        self.registry.remember_unknown(new - found, now_s)
        return changes

    def apply(self, changes: Changes) -> list[DeviceEntry]:
        """Take changes over; returns entries of devices that left their type for another."""
        held = self.registry.devices
        moved = [
            held[entry.uid]
            for entry in changes.devices
            if entry.uid in held and held[entry.uid].type_slug != entry.type_slug
        ]
        self.registry.apply(changes)
        for entry in changes.removed:
            self.presence.forget(entry.key)
            self.limit.forget(entry.key)
            self.clocks.forget(entry.key)
            self.tracks.pop(entry.key, None)
        return moved

    async def learn(self, lesson: Lesson) -> Changes:
        """Add metrics to a type; returns what changed in the registry by then."""
        persist, run = self._storing.persist, self._records.run
        await persist(run, learning.learn, lesson.type_slug, lesson.kinds)
        return await persist(run, registry_queries.load_changes, self.registry.version)

    async def know(self, uids: set[str]) -> None:
        """Load what is remembered of those that send for the first time since the bridge started."""
        persist = self._storing.persist
        devices, tracks = self.registry.devices, self.tracks
        keys = [devices[uid].key for uid in uids if uid in devices and devices[uid].key not in tracks]
        if keys:
            ledgers = await persist(asyncio.to_thread, self._store.ledger, keys)
            latest = await persist(asyncio.to_thread, self._store.latest, keys)
            for key in keys:
                newest = latest.get(key)
                tracks[key] = track_of(ledgers.get(key), newest)
                if newest is not None:
                    self.presence.recall(key, newest.received_ms)
