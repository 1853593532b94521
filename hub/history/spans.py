"""Which part of a range is read from readings and which from rollups. Pure."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from hub.history.rollups import HOUR_MS, MINUTE_MS

Resolution = Literal["raw", "1m", "1h"]
UNIT_MS: Final[dict[Resolution, int]] = {"raw": 1, "1m": MINUTE_MS, "1h": HOUR_MS}
"""What an entry of each covers."""

_FINER: Final[dict[Resolution, Resolution]] = {"1h": "1m", "1m": "raw"}


class Coverage(NamedTuple):
    """What is kept of a device in a range. All times are starts of hours; `dirty` is ascending.

    Before `rolled_to` hours are rolled up, but for the dirty ones. Before `closed_to` there are no
    readings any more. Minutes are kept from `minutes_from` on, hours from `hours_from` on.
    """

    rolled_to: int
    closed_to: int
    dirty: tuple[int, ...]
    minutes_from: int
    hours_from: int


class Span(NamedTuple):
    """A part of a range, `start_ms <= ts < end_ms`, and what is read for it."""

    resolution: Resolution
    start_ms: int
    end_ms: int


def resolution_for(bucket_ms: int) -> Resolution:
    """The coarsest whose entries fall into one bucket each."""
    if bucket_ms % HOUR_MS == 0:
        return "1h"
    return "1m" if bucket_ms % MINUTE_MS == 0 else "raw"


def spans(from_ms: int, to_ms: int, resolution: Resolution, coverage: Coverage) -> list[Span]:
    """The range in order of time, as coarse as `resolution` allows; empty parts are left out."""
    found: list[Span] = []
    for one in _spans(from_ms, to_ms, resolution, coverage):
        if one.start_ms >= one.end_ms:
            continue
        if found and found[-1].resolution == one.resolution and found[-1].end_ms == one.start_ms:
            found[-1] = found[-1]._replace(end_ms=one.end_ms)
        else:
            found.append(one)
    return found


def _spans(from_ms: int, to_ms: int, resolution: Resolution, coverage: Coverage) -> Iterator[Span]:
    closed_to = min(max(from_ms, coverage.closed_to), to_ms)
    yield from _closed(from_ms, closed_to, resolution, coverage)
    rolled_to = min(max(closed_to, coverage.rolled_to), to_ms)
    at = closed_to
    for hour in coverage.dirty:
        if at < hour + HOUR_MS and hour < rolled_to:
            yield from _clean(at, max(at, hour), resolution, coverage)
            end = min(hour + HOUR_MS, rolled_to)
            yield Span("raw", max(at, hour), end)
            at = end
    yield from _clean(at, rolled_to, resolution, coverage)
    yield Span("raw", rolled_to, to_ms)


def _closed(start_ms: int, end_ms: int, resolution: Resolution, coverage: Coverage) -> Iterator[Span]:
    """Hours whose readings are gone: an entry belongs to the range when its start does."""
    if resolution != "1h":
        middle_ms = min(max(start_ms, coverage.minutes_from), end_ms)
        yield _starts_in("1h", start_ms, middle_ms)
        yield _starts_in("1m", middle_ms, end_ms)
    else:
        yield _starts_in("1h", start_ms, end_ms)


def _starts_in(resolution: Resolution, start_ms: int, end_ms: int) -> Span:
    unit_ms = UNIT_MS[resolution]
    return Span(resolution, _up(start_ms, unit_ms), _up(end_ms, unit_ms))


def _clean(start_ms: int, end_ms: int, resolution: Resolution, coverage: Coverage) -> Iterator[Span]:
    """Hours that have both: what begins or ends within an entry is read more finely."""
    if resolution == "raw" or start_ms >= end_ms:
        yield Span("raw", start_ms, end_ms)
        return
    kept_from = coverage.hours_from if resolution == "1h" else coverage.minutes_from
    unit_ms = UNIT_MS[resolution]
    first = min(_up(max(start_ms, kept_from), unit_ms), end_ms)
    last = max(first, end_ms - end_ms % unit_ms)
    yield from _clean(start_ms, first, _FINER[resolution], coverage)
    yield Span(resolution, first, last)
    yield from _clean(last, end_ms, _FINER[resolution], coverage)


def _up(time_ms: int, unit_ms: int) -> int:
    return -(-time_ms // unit_ms) * unit_ms
