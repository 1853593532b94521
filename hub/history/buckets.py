"""Equal buckets of time: count, min, max, mean and last of what fell into each. Pure.

A spike survives because min and max are kept; silence survives because a bucket without any
reading is left out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from hub.history.rollups import Column, Summary, joined, summary, summary_of
from hub.history.spans import Resolution, Span
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


def bucket_ms_for(first_ms: int, last_ms: int, points: int, at_least_ms: int = 1) -> int:
    """The narrowest nice step, not below `at_least_ms`, whose buckets, aligned to 1970, cover both
    times in at most `points`."""
    for step in NICE_STEPS_MS:
        if step >= at_least_ms and last_ms // step - first_ms // step < points:
            return step
    return max(NICE_STEPS_MS[-1], last_ms + 1)


def raw_columns(rows: Sequence[RawRow], metrics: Sequence[str]) -> dict[str, RawColumn]:
    """One entry a row, None where the row has no such value; no `metrics`: all that occur."""
    keys = metrics or list(dict.fromkeys(key for row in rows for key in row.values))
    return {key: RawColumn([row.values.get(key) for row in rows]) for key in keys}


class Buckets:
    """Folds readings and rollups, oldest first, into buckets."""

    def __init__(self, bucket_ms: int, metrics: Sequence[str]) -> None:
        self._bucket_ms = bucket_ms
        self._chosen = set(metrics)
        self._held: dict[str, dict[int, Summary]] = {metric: {} for metric in metrics}
        self._index = 0
        self._values: dict[str, list[Value]] = {}

    def fold(self, rows: Iterable[RawRow]) -> None:
        """Take in readings that are not older than any before."""
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

    def fold_rollup(self, piece: Mapping[str, Column], piece_ms: int, unit_ms: int, span: Span) -> None:
        """Take in the entries of a piece that begin within a span; `piece_ms`: when the piece begins."""
        self._finish()
        for metric, column in piece.items():
            if not self._chosen or metric in self._chosen:
                held = self._held.setdefault(metric, {})
                for index, entries in _by_bucket(column, piece_ms, unit_ms, span, self._bucket_ms):
                    _add(held, index, entries)

    def _finish(self) -> None:
        """Close the bucket of readings under way."""
        for metric, values in self._values.items():
            _add(self._held.setdefault(metric, {}), self._index, summary(values))
        self._values = {}

    def as_columns(self, from_ms: int, to_ms: int, resolution: Resolution = "raw") -> Columns:
        """All buckets that hold anything."""
        self._finish()
        order = sorted({index for held in self._held.values() for index in held})
        shown = {metric: held for metric, held in self._held.items() if held or metric in self._chosen}
        columns = {metric: _column(order, held) for metric, held in shown.items()}
        ts = [index * self._bucket_ms for index in order]
        return Columns(from_ms, to_ms, resolution, self._bucket_ms, ts, columns)


def _by_bucket(
    column: Column, piece_ms: int, unit_ms: int, span: Span, bucket_ms: int
) -> Iterator[tuple[int, Summary]]:
    """What the entries of each bucket come to. Entries of one bucket stand side by side."""
    at = column.at
    begin = bisect_left(at, -(-(span.start_ms - piece_ms) // unit_ms))
    end = bisect_left(at, -(-(span.end_ms - piece_ms) // unit_ms))
    while begin < end:
        index = (piece_ms + at[begin] * unit_ms) // bucket_ms
        stop = bisect_left(at, -(-((index + 1) * bucket_ms - piece_ms) // unit_ms), begin, end)
        yield index, summary_of(column, begin, stop)
        begin = stop


def _add(held: dict[int, Summary], index: int, more: Summary) -> None:
    held[index] = joined(held[index], more) if index in held else more


def _column(order: Sequence[int], held: Mapping[int, Summary]) -> BucketColumn:
    entries = [held.get(index) for index in order]
    return BucketColumn(
        [one.minimum if one else None for one in entries],
        [one.maximum if one else None for one in entries],
        [one.total / one.num_numbers if one and one.num_numbers else None for one in entries],
        [one.last if one else None for one in entries],
        [one.num_values if one else 0 for one in entries],
    )
