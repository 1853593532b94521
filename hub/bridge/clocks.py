"""How far the clocks of devices are off, estimated from their live readings. Pure.

A reading comes in some time after it was measured, never before; so of a window of readings the one
that seems furthest ahead tells the clock best, and one that was kept and sent late changes nothing.
"""

from dataclasses import dataclass

import msgspec

from hub.limits.bridge import CLOCK_CHANGE_MS, CLOCK_WINDOW_MS, CLOCK_WINDOW_READINGS


class Skew(msgspec.Struct, frozen=True, gc=False):
    """A device's clock is off by `skew_ms` at the time `at_ms`; above zero it is ahead of the hub."""

    device: int
    skew_ms: int
    at_ms: int


@dataclass(slots=True)
class _Window:
    since_ms: int
    ahead_ms: int
    num_readings: int


class Clocks:
    """A window of readings a device; what was last written of each clock, by device key."""

    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}
        self._written_ms: dict[int, int] = {}

    def load(self, skews: dict[int, int]) -> None:
        """Take over what is written: `skew_ms` by device key."""
        self._written_ms = dict(skews)

    def forget(self, key: int) -> None:
        """A device was deleted."""
        self._windows.pop(key, None)
        self._written_ms.pop(key, None)

    def reading(self, key: int, ts_ms: int, received_ms: int) -> Skew | None:
        """A live reading with a time of its own; what is to be written when a window ends with news."""
        ahead_ms = ts_ms - received_ms
        window = self._windows.get(key)
        if window is None:
            self._windows[key] = _Window(received_ms, ahead_ms, 1)
            return None
        window.num_readings += 1
        if ahead_ms > window.ahead_ms:
            window.ahead_ms = ahead_ms
        if received_ms - window.since_ms < CLOCK_WINDOW_MS or window.num_readings < CLOCK_WINDOW_READINGS:
            return None
        del self._windows[key]
        if abs(window.ahead_ms - self._written_ms.get(key, 0)) <= CLOCK_CHANGE_MS:
            return None
        self._written_ms[key] = window.ahead_ms
        return Skew(key, window.ahead_ms, received_ms)
