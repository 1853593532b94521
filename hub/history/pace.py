"""How much one transaction of housekeeping may do, so that appends never wait long for it."""

from hub.limits.history import SLICE_AIM_S, SLICE_GROWTH


class Pace:
    """An amount that follows what transactions take; never below 1 nor above `most`."""

    def __init__(self, amount: int, most: int) -> None:
        self.amount = amount
        self.longest_s = 0.0
        self._most = most

    def took(self, duration_s: float, done: int) -> None:
        """Learn that `done` of `amount` took that long."""
        self.longest_s = max(self.longest_s, duration_s)
        if duration_s > SLICE_AIM_S:
            self.amount = max(1, int(done * SLICE_AIM_S / duration_s))
        elif done >= self.amount:
            growth = min(SLICE_GROWTH, SLICE_AIM_S / max(duration_s, 1e-6))
            self.amount = min(self._most, max(self.amount, int(self.amount * growth)))
