"""Equal buckets of time: count, min, max, mean and last of what fell into each. Pure.

A spike survives because min and max are kept; silence survives because a bucket without any
reading is left out.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from hub.history.store import BucketColumn, Columns, RawColumn, RawRow
from hub.protocol.telemetry import Value

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
NICE_STEPS_MS: Final = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(_SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000)),
)
"""Widths of buckets that people can read off an axis."""


def bucket_ms_for(first_ms: int, last_ms: int, points: int) -> int:
    """The narrowest nice step whose buckets, aligned to 1970, cover both times in at most `points`."""
    for step in NICE_STEPS_MS:
        if last_ms // step - first_ms // step < points:
            return step
    return max(NICE_STEPS_MS[-1], last_ms + 1)


def raw_columns(rows: Sequence[RawRow], metrics: Sequence[str]) -> dict[str, RawColumn]:
    """One entry a row, None where the row has no such value; no `metrics`: all that occur."""
    keys = metrics or list(dict.fromkeys(key for row in rows for key in row.values))
    return {key: RawColumn([row.values.get(key) for row in rows]) for key in keys}


class Buckets:
    """Folds rows, oldest first, into buckets; holds the values of one bucket at a time."""

    def __init__(self, bucket_ms: int, metrics: Sequence[str]) -> None:
        self._ts: list[int] = []
        self._columns: dict[str, BucketColumn] = {metric: _column(0) for metric in metrics}
        self._bucket_ms = bucket_ms
        self._chosen = set(metrics)
        self._index: int | None = None
        self._values: dict[str, list[Value]] = {}

    def fold(self, rows: Iterable[RawRow]) -> None:
        """Take in rows that are not older than any before."""
        for row in rows:
            index = row.ts_ms // self._bucket_ms
            if index != self._index:
                self._finish()
                self._index = index
            for metric, value in row.values.items():
                if self._chosen and metric not in self._chosen:
                    continue
                if metric in self._values:
                    self._values[metric].append(value)
                else:
                    self._values[metric] = [value]

    def _finish(self) -> None:
        """Close the bucket under way."""
        if self._index is None or not self._values:
            return
        for metric in self._values.keys() - self._columns.keys():
            self._columns[metric] = _column(len(self._ts))
        self._ts.append(self._index * self._bucket_ms)
        for metric, column in self._columns.items():
            _add(column, self._values.get(metric, []))
        self._values = {}

    def as_columns(self, from_ms: int, to_ms: int) -> Columns:
        """Close the last bucket and return all."""
        self._finish()
        return Columns(from_ms, to_ms, "raw", self._bucket_ms, self._ts, self._columns)


def _column(num_empty: int) -> BucketColumn:
    def nothing() -> list[None]:
        return [None] * num_empty

    return BucketColumn([*nothing()], [*nothing()], [*nothing()], [*nothing()], [0] * num_empty)


def _add(column: BucketColumn, values: list[Value]) -> None:
    numbers = [value for value in values if not isinstance(value, str)]
    column.min.append(min(numbers) + 0 if numbers else None)  # + 0 makes a boolean a number
    column.max.append(max(numbers) + 0 if numbers else None)
    column.mean.append(sum(numbers) / len(numbers) if numbers else None)
    column.last.append(values[-1] if values else None)
    column.count.append(len(values))
