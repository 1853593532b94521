"""How many messages of one device are taken: a bucket of tokens for each. Pure.

What piled up while the hub was away is the hub's doing and costs nothing: from the first message of a
connection until the inbox was found empty, and whatever the broker delivers once more.
"""

from hub.bridge.inbox import Message
from hub.limits.bridge import BACKLOG_AT_LEAST_MS, RATE_LIMIT_DEPTH, RATE_LIMIT_PER_S


class RateLimit:
    """Token buckets by device key, filled by the time of arrival.

    # Optimization: of a bucket only the moment is kept at which it will be full again.
    """

    def __init__(self, per_s: float = RATE_LIMIT_PER_S, depth: float = RATE_LIMIT_DEPTH) -> None:
        self._token_ms = 1000 / per_s
        self._depth_ms = depth * self._token_ms
        self._full_at_ms: dict[int, float] = {}
        self._connection: int | None = None
        self._backlog_from_ms: int | None = None

    @property
    def catching_up(self) -> bool:
        """Whether what comes in may still be what piled up before this connection."""
        return self._backlog_from_ms is not None

    def admits(self, key: int, message: Message) -> bool:
        """Take a token for a message of the device; false when there is none."""
        if message.connection != self._connection:
            self._connection = message.connection
            self._backlog_from_ms = message.arrived_ms
        if self._backlog_from_ms is not None or message.dup:
            return True
        now_ms = message.arrived_ms
        full_at_ms = self._full_at_ms.get(key, 0.0)
        if full_at_ms < now_ms:
            full_at_ms = now_ms
        if full_at_ms - now_ms > self._depth_ms - self._token_ms:
            # More than empty is a clock that went back.
            self._full_at_ms[key] = min(full_at_ms, now_ms + self._depth_ms)
            return False
        self._full_at_ms[key] = full_at_ms + self._token_ms
        return True

    def drained(self, now_ms: int) -> None:
        """Everything that arrived was taken: from here on messages come as devices send them.

        Not within the first moments of a connection, when the broker is only beginning to send.
        """
        from_ms = self._backlog_from_ms
        if from_ms is not None and now_ms - from_ms >= BACKLOG_AT_LEAST_MS:
            self._backlog_from_ms = None

    def forget(self, key: int) -> None:
        """A device was deleted."""
        self._full_at_ms.pop(key, None)
