"""How a range of history is read: single readings when they are few, buckets otherwise.

The same for every store, which only fetches (`Source`).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from hub.history.buckets import Buckets, bucket_ms_for, raw_columns
from hub.history.rollups import DAY_MS, HOUR_MS, MINUTE_MS, unpack
from hub.history.spans import UNIT_MS, Coverage, Resolution, Span, resolution_for, spans
from hub.history.store import Columns, RawRow
from hub.limits.history import READ_SPARSE_ROWS, ROWS_PAGE_MAX

PIECE_MS: Final[dict[Resolution, int]] = {"1m": HOUR_MS, "1h": DAY_MS}
"""How much time the rollups in one row cover."""

_TIME_MAX: Final = 2**62
_COARSENESS: Final[list[Resolution]] = ["raw", "1m", "1h"]


class Extent(NamedTuple):
    """When the first and the last reading of a range may be, as closely as is known at little cost."""

    first_ms: int
    last_ms: int


class Source(Protocol):
    """What a store is asked for while a range is read."""

    def coverage(self, device: int, from_ms: int, to_ms: int) -> Coverage:
        """What is kept of the device; the dirty hours that touch the range."""

    def extent(self, device: int, from_ms: int, to_ms: int, closed_to: int) -> Extent | None:
        """The ends of the readings of the range, and of the days of 1 h rollups in it before `closed_to`."""

    def rows_page(self, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int) -> list[RawRow]:
        """Readings of the range beyond `after_ms`, oldest first."""

    def pieces(
        self, resolution: Resolution, device: int, from_ms: int, to_ms: int
    ) -> Sequence[tuple[int, bytes]]:
        """Rollups: start and content of the pieces with `from_ms <= start < to_ms`, in order."""


class _Range(NamedTuple):
    device: int
    metrics: Sequence[str]
    from_ms: int
    to_ms: int


def read(
    source: Source, device: int, metrics: Sequence[str], from_ms: int, to_ms: int, points: int
) -> Columns:
    """HistoryStore.read for a store that is a Source. ValueError when `points` is below 1."""
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}.")
    part = _Range(device, metrics, max(0, from_ms), min(to_ms, _TIME_MAX))
    before = source.coverage(*_where(part))
    while True:
        columns = _read(source, part, points, before)
        after = source.coverage(*_where(part))
        # What was pruned while it was read may have been missed.
        if after.closed_to == before.closed_to and after.minutes_from == before.minutes_from:
            return msgspec.structs.replace(columns, from_ms=from_ms, to_ms=to_ms)
        before = after


def _where(part: _Range) -> tuple[int, int, int]:
    return part.device, part.from_ms, part.to_ms


def _read(source: Source, part: _Range, points: int, coverage: Coverage) -> Columns:
    extent = source.extent(*_where(part), coverage.closed_to)
    if extent is None:
        return Columns(part.from_ms, part.to_ms, "raw", None, [], raw_columns([], part.metrics))
    # Nothing beyond the last is read, so what arrives meanwhile adds no bucket.
    part = part._replace(to_ms=min(part.to_ms, extent.last_ms + 1))
    at_least_ms = _finest_ms(part, extent, coverage)
    if at_least_ms == 1:
        rows = _few(source, part, points, is_rolled=coverage.rolled_to > part.from_ms)
        if rows is not None:
            return Columns(
                part.from_ms,
                part.to_ms,
                "raw",
                None,
                [row.ts_ms for row in rows],
                raw_columns(rows, part.metrics),
            )
    return _buckets(source, part, bucket_ms_for(*extent, points, at_least_ms), coverage)


def _finest_ms(part: _Range, extent: Extent, coverage: Coverage) -> int:
    """The narrowest entries that are kept for the whole range."""
    first_ms = max(part.from_ms, extent.first_ms)
    if first_ms >= coverage.closed_to:
        return 1
    return MINUTE_MS if first_ms >= coverage.minutes_from else HOUR_MS


def _few(source: Source, part: _Range, points: int, *, is_rolled: bool) -> list[RawRow] | None:
    """The readings of the range with any of the metrics; None when they are more than `points`.

    None also when they are sparse among very many, and rollups can be read instead.
    """
    rows: list[RawRow] = []
    num_seen = 0
    for page in _pages(source, part, first_limit=points + 1):
        num_seen += len(page)
        rows += (
            page
            if not part.metrics
            else [row for row in page if not row.values.keys().isdisjoint(part.metrics)]
        )
        if len(rows) > points or (is_rolled and num_seen > READ_SPARSE_ROWS + points):
            return None
    return rows


def _pages(source: Source, part: _Range, first_limit: int = ROWS_PAGE_MAX) -> Iterator[list[RawRow]]:
    limit, after_ms = min(first_limit, ROWS_PAGE_MAX), part.from_ms - 1
    while page := source.rows_page(*_where(part), after_ms, limit):
        yield page
        if len(page) < limit:
            return
        limit, after_ms = ROWS_PAGE_MAX, page[-1].ts_ms


def _buckets(source: Source, part: _Range, bucket_ms: int, coverage: Coverage) -> Columns:
    buckets = Buckets(bucket_ms, part.metrics)
    used: set[Resolution] = {"raw"}
    for span in spans(part.from_ms, part.to_ms, resolution_for(bucket_ms), coverage):
        if span.resolution == "raw":
            for page in _pages(source, part._replace(from_ms=span.start_ms, to_ms=span.end_ms)):
                buckets.fold(page)
        elif _fold_rollups(source, buckets, part.device, span):
            used.add(span.resolution)
    return buckets.as_columns(part.from_ms, part.to_ms, max(used, key=_COARSENESS.index))


def _fold_rollups(source: Source, buckets: Buckets, device: int, span: Span) -> bool:
    """Whether there were any."""
    first_ms = span.start_ms - span.start_ms % PIECE_MS[span.resolution]
    pieces = source.pieces(span.resolution, device, first_ms, span.end_ms)
    for piece_ms, piece in pieces:
        buckets.fold_rollup(unpack(piece), piece_ms, UNIT_MS[span.resolution], span)
    return bool(pieces)
