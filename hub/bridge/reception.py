"""Since when the bridge hears what the broker gets, and what interrupted it. Pure."""

from hub.limits.bridge import LINK_STALLED_AFTER_MS


class Reception:
    """Connected and subscribed or not. All times are Unix milliseconds."""

    def __init__(self, now_ms: int) -> None:
        self.receiving = False
        self.changed_ms = now_ms
        self._resumed_ms = 0
        self._looked_ms = now_ms

    def turn(self, now_ms: int, *, receiving: bool) -> None:
        """The connection is there, or gone."""
        if receiving != self.receiving:
            self.receiving = receiving
            self.changed_ms = now_ms

    def resumed(self, now_ms: int) -> None:
        """Reading goes on after a pause."""
        self._resumed_ms = now_ms

    def look(self, now_ms: int) -> None:
        """To be called about once a second: so it is noticed when the whole process stood still."""
        if self._is_stalled(now_ms):
            self._resumed_ms = now_ms
        self._looked_ms = now_ms

    def since_ms(self, now_ms: int) -> int | None:
        """Since when messages come in without a break, None while they do not.

        A process that was frozen, or whose clock was set on, has heard nobody meanwhile.
        """
        if not self.receiving or self._is_stalled(now_ms):
            return None
        return max(self.changed_ms, self._resumed_ms)

    def _is_stalled(self, now_ms: int) -> bool:
        return now_ms - self._looked_ms > LINK_STALLED_AFTER_MS
