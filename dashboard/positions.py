"""How far a relay or a stream got in the numbering of every source of one device type. Pure."""

from collections.abc import Mapping
from typing import Literal

from hub.history.store import Head
from hub.limits.live import FRAME_LOG_KEPT_MS
from hub.protocol.frames import Cursor, Frame

Verdict = Literal["next", "old", "hole"]


class Positions:
    """Per source the n up to which everything was taken in, and when its newest frame was made."""

    def __init__(self, device_type: str) -> None:
        self.device_type = device_type
        self._last: dict[str, int] = {}
        self._at_ms: dict[str, int] = {}

    def start_at(self, heads: Mapping[str, Head]) -> None:
        """Begin behind everything that the frame log holds now."""
        self._last = {source: head.last for source, head in heads.items()}
        self._at_ms = {source: head.at_ms for source, head in heads.items()}

    def judge(self, frame: Frame) -> Verdict:
        """Whether a frame is the next of its source, known already, or further on.

        A source that was never heard of begins at 1.
        """
        last = self._last.get(frame.source, 0)
        if frame.last <= last:
            return "old"
        return "next" if frame.first <= last + 1 else "hole"

    def advance(self, frame: Frame) -> int:
        """Take a frame in; returns how many entries before it are missing."""
        missing = max(0, frame.first - self._last.get(frame.source, 0) - 1)
        self._last[frame.source] = frame.last
        self._at_ms[frame.source] = frame.at_ms
        return missing

    def are_behind(self, heads: Mapping[str, Head]) -> bool:
        """Whether the frame log holds more than was taken in."""
        return any(head.last > self._last.get(source, 0) for source, head in heads.items())

    def as_dict(self) -> dict[str, int]:
        return dict(self._last)

    def cursor(self, at_ms: int) -> str:
        """A cursor for here; sources that the frame log has forgotten are left out."""
        horizon_ms = at_ms - FRAME_LOG_KEPT_MS
        kept = {source: n for source, n in self._last.items() if self._at_ms[source] >= horizon_ms}
        return Cursor(self.device_type, at_ms, kept).encode()
