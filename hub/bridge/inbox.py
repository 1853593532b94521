"""Messages between the socket and the worker: bounded, in order, bound to their connection."""

import asyncio
from collections import deque

import msgspec

from hub.limits.bridge import INBOX_MAX_BYTES, INBOX_MAX_MESSAGES, INBOX_RESUME_BYTES, INBOX_RESUME_MESSAGES


class Message(msgspec.Struct, frozen=True, gc=False):
    """One MQTT message as it arrived. `topic` None: it was not UTF-8.

    `connection` numbers the connection it came on: an acknowledgement is good for that one only.
    `dup`: the broker delivers it once more.
    """

    topic: str | None
    payload: bytes
    qos: int
    mid: int
    retained: bool
    arrived_ms: int
    connection: int
    dup: bool = False


class Inbox:
    """What arrived and is not taken yet. Not thread-safe: it lives on one loop."""

    def __init__(
        self,
        capacity: int = INBOX_MAX_MESSAGES,
        resume_at: int = INBOX_RESUME_MESSAGES,
        capacity_bytes: int = INBOX_MAX_BYTES,
        resume_at_bytes: int = INBOX_RESUME_BYTES,
    ) -> None:
        self._capacity = capacity
        self._resume_at = resume_at
        self._capacity_bytes = capacity_bytes
        self._resume_at_bytes = resume_at_bytes
        self._messages: deque[Message] = deque()
        self._num_bytes = 0
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_full(self) -> bool:
        """The socket's reader must pause: the broker's own window is no bound."""
        return len(self._messages) >= self._capacity or self._num_bytes >= self._capacity_bytes

    @property
    def has_room(self) -> bool:
        """It has drained far enough for a paused reader to go on."""
        return len(self._messages) <= self._resume_at and self._num_bytes <= self._resume_at_bytes

    @property
    def oldest_ms(self) -> int | None:
        """When the message that waits longest arrived."""
        return self._messages[0].arrived_ms if self._messages else None

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self._num_bytes += len(message.payload)
        self._arrived.set()

    async def wait(self) -> None:
        """Until at least one message is here."""
        await self._arrived.wait()

    def take(self, limit: int) -> list[Message]:
        """The oldest messages, at most `limit`."""
        messages = self._messages
        taken = [messages.popleft() for _ in range(min(limit, len(messages)))]
        self._num_bytes -= sum(len(message.payload) for message in taken)
        if not messages:
            self._arrived.clear()
        return taken

    def drop_redelivered(self) -> int:
        """Forget what the broker will send again because its connection ended; returns how many."""
        kept = deque(message for message in self._messages if message.qos == 0)
        dropped = len(self._messages) - len(kept)
        self._messages = kept
        self._num_bytes = sum(len(message.payload) for message in kept)
        if not kept:
            self._arrived.clear()
        return dropped
