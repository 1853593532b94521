"""A worker with real store, registry and layer, and a link that only remembers."""

import asyncio
from collections.abc import Iterable
from typing import cast

from channels.layers import InMemoryChannelLayer

from hub.bridge.forward import Forwarder
from hub.bridge.inbox import Inbox, Message
from hub.bridge.mqtt import Link
from hub.bridge.numbering import Numbering
from hub.bridge.records import Records
from hub.bridge.registry import Registry
from hub.bridge.replay import Replaying
from hub.bridge.reporting import Reporter
from hub.bridge.senders import Senders
from hub.bridge.storing import Storing, now_ms
from hub.bridge.worker import Worker
from hub.protocol import frames, topics
from tests.hub.bridge.parts import message
from tests.hub.bridge.trouble import TroubledStore


class Ear:
    """A link that remembers what it was asked to do."""

    receiving = True
    changed_ms = 5

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.published: list[str] = []
        self.receiving_since_ms: int | None = 0

    def acknowledge(self, messages: Iterable[Message]) -> None:
        self.acknowledged += [message.mid for message in messages]

    def publish(self, topic: str, _payload: bytes) -> None:
        self.published.append(topic)

    def resume_if_drained(self) -> None: ...


class Bench:
    def __init__(self, store: TroubledStore, records: Records) -> None:
        copy = Registry()
        self.store = store
        self.records = records
        self.inbox = Inbox()
        self.ear = Ear()
        self.layer = InMemoryChannelLayer()
        self.forwarder = Forwarder(self.layer)
        self.storing = Storing(store, Numbering("main-1"), copy)
        self.senders = Senders(store, copy, self.storing, records)
        link = cast("Link", self.ear)
        self.replaying = Replaying(store, self.senders, self.storing, records)
        self.worker = Worker(
            self.inbox, link, self.senders, self.storing, self.forwarder, records, self.replaying
        )
        self.reporter = Reporter("main", "main-1", link, self.storing, self.worker, self.senders)
        self.mid = 0

    def arrive(self, payload: object, topic: str = topics.telemetry("thermostat", "t1")) -> int:
        self.mid += 1
        self.inbox.put(message(payload, topic, mid=self.mid, arrived_ms=now_ms()))
        return self.mid

    async def run(self) -> "asyncio.Task[None]":
        await self.worker.start()
        return asyncio.create_task(self.worker.run())

    @property
    def key(self) -> int:
        return self.senders.registry.devices["t1"].key

    def frames(self) -> list[frames.Frame]:
        return self.store.frames_page("thermostat", {}, 1_000)


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
