"""What one stream of one socket gets next: a position in the relay's ring, not a queue. Pure.

Time is told, not asked: `now_s` is the monotonic clock. While acknowledgements come every row is
sent; rows that wait are joined. Only rows far behind are merged and counted.
"""

import collections
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from dashboard.merging import join_run, merge_span, select_run
from dashboard.ring import Entry, Part, Ring
from hub.limits.live import MAX_UNACKED_FRAMES, MERGE_WHEN_BEHIND_S
from hub.protocol import frames


class Outbox:
    """Frames for one stream; `take()` gives the next text as long as the window is open.

    `stream_json`: the stream's name, JSON encoded. `wanted`: device ids, None for all.
    `cursor`: how far this socket got. It gives nothing until `open()`.
    """

    def __init__(
        self,
        ring: Ring,
        stream_json: str,
        wanted: AbstractSet[str] | None = None,
        max_hz: float | None = None,
        max_unacked: int = MAX_UNACKED_FRAMES,
        merge_behind_s: float = MERGE_WHEN_BEHIND_S,
    ) -> None:
        self._ring = ring
        self._stream_json = stream_json
        self._wanted = wanted
        self._period_s = 1 / max_hz if max_hz else 0.0
        self._max_unacked = max_unacked
        # Who asked for fewer frames waits by own wish.
        self._merge_behind_s = merge_behind_s + self._period_s
        self._is_open = False
        self._parts: collections.deque[Part] = collections.deque()
        self._replay: Sequence[Entry] = ()
        self._replay_at = 0
        self._unacked: collections.deque[tuple[int, float]] = collections.deque()
        self._frame = 0
        self.position = ring.end
        self.cursor = ring.cursor
        self.due_s = 0.0
        self._burst_s: float | None = None
        self.recovered = 0

    def open(self) -> None:
        """From here on entries of the ring are given."""
        self._is_open = True

    def take(self, now_s: float) -> str | None:
        """The text of the next frame, None when there is none or the window is closed."""
        if self.is_full or now_s < self.due_s:
            return None
        while not self._parts:
            if not self._refill(now_s):
                self._end_burst()
                return None
        return self._number(self._parts.popleft(), now_s)

    @property
    def is_full(self) -> bool:
        """Whether nothing is given until an acknowledgement comes."""
        return len(self._unacked) >= self._max_unacked

    def ack(self, frame: int) -> bool:
        """Everything up to `frame` has arrived. False for a frame that was never sent."""
        if frame > self._frame:
            return False
        while self._unacked and self._unacked[0][0] <= frame:
            self._unacked.popleft()
        return True

    def unacked_s(self, now_s: float) -> float:
        """For how long the oldest unacknowledged frame has been waiting."""
        return now_s - self._unacked[0][1] if self._unacked else 0.0

    @property
    def has_fallen_out(self) -> bool:
        """Whether what comes next has left the ring, and is in the frame log only.

        Not while the window is closed: who never acknowledges costs no reading.
        """
        return self._is_open and not self.is_full and not self._parts and self.position < self._ring.start

    def adopt(self, parts: Sequence[Part], position: int, cursor: str) -> None:
        """Send `parts` first, then go on at `position` of the ring, whose cursor is `cursor`."""
        self._parts.extend(parts)
        self.position = position
        if not parts:
            self.cursor = cursor

    def replay(self, entries: Sequence[Entry]) -> None:
        """Give these entries, joined and never merged, before anything of the ring."""
        self._replay = entries
        self._replay_at = 0

    @property
    def is_replaying(self) -> bool:
        """Whether some of the entries of `replay()` have not been given yet."""
        return not self._is_open and (self._replay_at < len(self._replay) or bool(self._parts))

    def _refill(self, now_s: float) -> bool:
        """Prepare messages of what comes next; False when nothing does."""
        if self._replay_at < len(self._replay):
            self._replay_at = self._prepare(self._replay, self._replay_at)
            return True
        if not (self._is_open and self._ring.start <= self.position < self._ring.end):
            return False
        entries, at = self._ring.entries, self.position - self._ring.start
        if now_s - entries[at].arrived_s > self._merge_behind_s:
            self._merge(entries, at, now_s)
        else:
            self.position = self._ring.start + self._prepare(entries, at)
        return True

    def _end_burst(self) -> None:
        # What waited leaves at once and joined; then nothing for a period, counted from its first frame.
        if self._burst_s is not None:
            self.due_s = self._burst_s + self._period_s
            self._burst_s = None

    def _prepare(self, entries: Sequence[Entry], at: int) -> int:
        if self._wanted is None:
            part, end = join_run(entries, at)
            self._parts.append(part)
            return end
        parts, cursor, end = select_run(entries, at, self._wanted, self.cursor)
        self._parts.extend(parts)
        if not parts:
            self.cursor = cursor
        return end

    def _merge(self, entries: Sequence[Entry], at: int, now_s: float) -> None:
        end = at
        while end < len(entries) and now_s - entries[end].arrived_s > self._merge_behind_s:
            end += 1
        parts = merge_span(entries[at:end], self._wanted, self.cursor)
        self.adopt(parts, self._ring.start + end, entries[end - 1].cursor)

    def _number(self, part: Part, now_s: float) -> str:
        if self._burst_s is None:
            self._burst_s = now_s
        self._frame += 1
        self._unacked.append((self._frame, now_s))
        self.cursor = part.cursor
        if not self._is_open:
            self.recovered += part.num_rows
        head = frames.head(part.kind, self._stream_json, self._frame)
        return f"{head}{part.text}{frames.tail(part.kind, part.merged)}"
