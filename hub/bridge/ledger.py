"""What a batch adds to the ledgers, and what is missing in a device's own count. Pure.

The store counts stored, updated and duplicate readings; here are received, rejected, rejected
values, and the holes in `seq` that mean readings were lost before the hub.
"""

from dataclasses import dataclass, field

from hub.bridge.intake import Accepted, Refusal
from hub.history.store import Arrivals, Latest, Ledger
from hub.limits.telemetry import MAX_OPEN_HOLES


@dataclass(slots=True)
class Track:
    """What is remembered of one device between messages. Times in Unix milliseconds.

    `given_ms`: the last time given to a reading that had none; `newest_ms`: its newest measured time.
    """

    last_seq: int | None = None
    newest_ms: int = 0
    given_ms: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)

    def give_time(self, arrived_ms: int) -> int:
        """The time of arrival, moved on where it was already given: two readings never share it."""
        self.given_ms = max(arrived_ms, self.given_ms + 1)
        return self.given_ms

    def follow(self, seq: int, ts_ms: int) -> int:
        """Take note of a `seq`; returns how many more (or fewer) readings count as lost.

        A smaller seq with a newer time is a counter that started again; otherwise it is late and
        closes the hole it left. A larger seq with an older time is a device that sends what it kept,
        or whose clock was put back: it is followed, but a gap before it may be a counter's restart
        that is delivered again, and counts as nothing.
        """
        last, newer = self.last_seq, ts_ms > self.newest_ms
        older = ts_ms < self.newest_ms
        self.newest_ms = max(ts_ms, self.newest_ms)
        if last is not None and seq <= last and not newer:
            return self._close(seq)
        self.last_seq = seq
        if last is None or seq == last + 1 or older:
            return 0
        if seq <= last:
            self.holes = []
            return 0
        self.holes = [*self.holes, (last + 1, seq - 1)][-MAX_OPEN_HOLES:]
        return seq - last - 1

    def refused(self, seq: int, ts_ms: int | None) -> int:
        """Take note of the `seq` of a reading that was refused: it reached the hub, so it is not lost.

        `ts_ms` None: nothing is known of its time, so the counter did not start again. As `follow`.
        """
        return self.follow(seq, self.newest_ms if ts_ms is None else ts_ms)

    def _close(self, seq: int) -> int:
        for index, (first, last) in enumerate(self.holes):
            if first <= seq <= last:
                rest = [part for part in ((first, seq - 1), (seq + 1, last)) if part[0] <= part[1]]
                self.holes = [*self.holes[:index], *rest, *self.holes[index + 1 :]][-MAX_OPEN_HOLES:]
                return -1
        return 0


def track_of(ledger: Ledger | None, latest: Latest | None) -> Track:
    """What is remembered of a device after a restart of the bridge."""
    track = Track()
    if ledger is not None:
        track.last_seq = ledger.last_seq
        track.holes = list(ledger.holes)
    if latest is not None:
        track.newest_ms = latest.ts_ms
        track.given_ms = latest.received_ms
    return track


@dataclass(slots=True)
class _Sum:
    received: int = 0
    rejected: int = 0
    values_rejected: int = 0
    lost_before_hub: int = 0
    moved: bool = False


class Tally:
    """Counts one batch, by device key."""

    def __init__(self, tracks: dict[int, Track]) -> None:
        self._tracks = tracks
        self._sums: dict[int, _Sum] = {}

    def accepted(self, reading: Accepted) -> None:
        entry = self._sum(reading.device.key)
        entry.received += 1
        if reading.seq is not None:
            entry.lost_before_hub += self._tracks[reading.device.key].follow(reading.seq, reading.ts_ms)
            entry.moved = True

    def refused(self, refusal: Refusal) -> None:
        entry = self._sum(refusal.device)
        if refusal.whole:
            entry.received += 1
            entry.rejected += 1
            if (seq := refusal.fault.seq) is not None:
                entry.lost_before_hub += self._tracks[refusal.device].refused(seq, refusal.fault.ts_ms)
                entry.moved = True
        else:
            entry.values_rejected += 1

    def arrivals(self) -> dict[int, Arrivals]:
        """What the batch adds, by device key."""
        return {key: self._arrivals(key, entry) for key, entry in self._sums.items()}

    def _arrivals(self, key: int, entry: _Sum) -> Arrivals:
        track = self._tracks[key] if entry.moved else None
        return Arrivals(
            entry.received,
            entry.rejected,
            entry.values_rejected,
            entry.lost_before_hub,
            track.last_seq if track else None,
            track.holes if track else None,
        )

    def _sum(self, key: int) -> _Sum:
        entry = self._sums.get(key)
        if entry is None:
            entry = self._sums[key] = _Sum()
        return entry
