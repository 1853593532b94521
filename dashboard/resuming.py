"""What a cursor still misses: which frames of the log to replay, or why that cannot be. Pure."""

from collections.abc import Iterable, Mapping

from dashboard.ring import Entry
from hub.history.store import Head
from hub.limits.live import FRAME_LOG_KEPT_MS
from hub.protocol.frames import Cursor, Frame


def cursor_of(text: str, device_type: str) -> Cursor | None:
    """The cursor in a client's text, None when it is unreadable or of another type."""
    cursor = Cursor.decode(text)
    return cursor if cursor is not None and cursor.device_type == device_type else None


class Replay:
    """From a cursor up to `until`, the positions where the ring goes on.

    A source that the cursor does not name starts at 0, unless its newest frame was already
    forgotten by the log when the cursor was made.
    """

    def __init__(self, cursor: Cursor, heads: Mapping[str, Head], until: Mapping[str, int]) -> None:
        self._device_type = cursor.device_type
        self._heads = heads
        self._until = until
        self._known = dict(cursor.positions)
        self._read: dict[str, int] = {}
        horizon_ms = cursor.made_ms - FRAME_LOG_KEPT_MS
        for source, head in heads.items():
            if source not in self._known:
                self._known[source] = 0 if head.at_ms >= horizon_ms else head.last
        self.lost = 0

    @property
    def positions(self) -> dict[str, int]:
        """How far the log was read, for its next page."""
        return {**self._known, **self._read}

    def missed(self) -> int | None:
        """How many entries came after the cursor; None when a source of it has been forgotten."""
        if any(source not in self._heads for source in self._known):
            return None
        return sum(max(0, head.last - self._known[source]) for source, head in self._heads.items())

    def is_cut(self, page: Iterable[Frame]) -> bool:
        """Whether the log, whose first page beyond the cursor this is, no longer reaches back to it."""
        first: dict[str, int] = {}
        for frame in page:
            first.setdefault(frame.source, frame.first)
        if any(n > self._known.get(source, 0) + 1 for source, n in first.items()):
            return True
        # A page may end before a source's first frame: only a source that is due is asked for.
        behind = [source for source, n in self._until.items() if n > self._known.get(source, 0)]
        return bool(behind) and not first

    def entries(self, page: Iterable[Frame], now_s: float) -> list[Entry]:
        """The entries to send of a page of the log; what was cut off meanwhile counts as lost."""
        found = []
        for frame in page:
            # Also what is not sent counts as read, or the next page would be the same one.
            self._read[frame.source] = frame.last
            known = self._known.get(frame.source, 0)
            if frame.last <= known or frame.last > self._until.get(frame.source, 0):
                continue
            self.lost += max(0, frame.first - known - 1)
            self._known[frame.source] = frame.last
            cursor = Cursor(self._device_type, frame.at_ms, dict(self._known)).encode()
            found.append(Entry(frame, cursor, now_s))
        return found

    @property
    def is_done(self) -> bool:
        return all(self._known.get(source, 0) >= n for source, n in self._until.items())
