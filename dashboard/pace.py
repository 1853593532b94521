"""How much a client may say. Pure; time is told."""

from hub.limits.live import ACKS_PER_STREAM_PER_S, CLIENT_MESSAGES_BURST, CLIENT_MESSAGES_PER_S


class Bucket:
    """A token bucket: `rate` a second, `depth` at once."""

    def __init__(self, rate: float, depth: float, now_s: float) -> None:
        self._rate = rate
        self._depth = depth
        self._left = depth
        self._at_s = now_s

    def take(self, now_s: float, rate: float | None = None) -> bool:
        """Whether one more is allowed; `rate` when it is another one now."""
        self._left = min(self._depth, self._left + (now_s - self._at_s) * (rate or self._rate))
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Pace:
    """The limits of one socket: messages, and apart from them acknowledgements."""

    def __init__(self, now_s: float) -> None:
        self._messages = Bucket(CLIENT_MESSAGES_PER_S, CLIENT_MESSAGES_BURST, now_s)
        self._acks = Bucket(ACKS_PER_STREAM_PER_S, CLIENT_MESSAGES_BURST, now_s)

    def allows_message(self, now_s: float) -> bool:
        return self._messages.take(now_s)

    def allows_ack(self, now_s: float, num_streams: int) -> bool:
        """Acknowledgements beyond theirs count as messages: each is cheap, ten thousand are not."""
        rate = ACKS_PER_STREAM_PER_S * max(1, num_streams)
        return self._acks.take(now_s, rate) or self._messages.take(now_s)
