"""How many readings arrive, by type, over the last seconds. Pure but for the clock it is given."""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from hub.bridge.batch import Judged

_OVER_S: Final = 5.0


class Rates:
    """A sliding window of accepted readings."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._batches: deque[tuple[float, Counter[str]]] = deque()
        self._sums: Counter[str] = Counter()
        self._started_s = clock()

    def count(self, judged: Judged) -> None:
        """Add the accepted readings of a batch."""
        counts = Counter(reading.device.type_slug for reading in judged.accepted)
        if counts:
            self._batches.append((self._clock(), counts))
            self._sums.update(counts)

    def per_s(self) -> dict[str, float]:
        """Readings per second by type, over the last 5 s; a type without any is left out."""
        over_s = self._forget()
        return {slug: count / over_s for slug, count in self._sums.items() if count}

    @property
    def total_per_s(self) -> float:
        over_s = self._forget()
        return sum(self._sums.values()) / over_s

    def _forget(self) -> float:
        now_s = self._clock()
        while self._batches and self._batches[0][0] < now_s - _OVER_S:
            self._sums.subtract(self._batches.popleft()[1])
        return min(_OVER_S, max(now_s - self._started_s, 1.0))
