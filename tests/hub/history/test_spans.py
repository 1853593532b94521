"""Which parts of a range are read from what."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hub.history.rollups import HOUR_MS as HOUR
from hub.history.rollups import MINUTE_MS as MINUTE
from hub.history.spans import UNIT_MS, Coverage, Resolution, Span, resolution_for, spans

ALL_KEPT = Coverage(10 * HOUR, 0, (), 0, 0)


def test_buckets_of_whole_units_are_made_of_rollups() -> None:
    widths = (1_000, 90_000, MINUTE, 30 * MINUTE, HOUR, 24 * HOUR)
    assert [resolution_for(width) for width in widths] == ["raw", "raw", "1m", "1m", "1h", "1h"]


def test_what_begins_and_ends_within_an_hour_is_read_more_finely() -> None:
    assert spans(HOUR - 90_000, 3 * HOUR + 90_000, "1h", ALL_KEPT) == [
        Span("raw", HOUR - 90_000, HOUR - 60_000),
        Span("1m", HOUR - 60_000, HOUR),
        Span("1h", HOUR, 3 * HOUR),
        Span("1m", 3 * HOUR, 3 * HOUR + 60_000),
        Span("raw", 3 * HOUR + 60_000, 3 * HOUR + 90_000),
    ]


def test_dirty_hours_and_those_not_rolled_up_are_read_from_readings() -> None:
    coverage = Coverage(5 * HOUR, 0, (HOUR, 2 * HOUR, 4 * HOUR), 0, 0)
    assert spans(0, 6 * HOUR, "1h", coverage) == [
        Span("1h", 0, HOUR),
        Span("raw", HOUR, 3 * HOUR),
        Span("1h", 3 * HOUR, 4 * HOUR),
        Span("raw", 4 * HOUR, 6 * HOUR),
    ]


def test_closed_hours_are_read_whole_and_from_what_is_left() -> None:
    coverage = Coverage(10 * HOUR, 6 * HOUR, (), 3 * HOUR, 0)
    assert spans(1, 8 * HOUR, "1m", coverage) == [
        Span("1h", HOUR, 3 * HOUR),
        Span("1m", 3 * HOUR, 8 * HOUR),
    ]
    assert spans(HOUR - 1, 4 * HOUR - 1, "1h", coverage) == [Span("1h", HOUR, 4 * HOUR)]


def test_where_rollups_are_gone_readings_are_read_while_there_are_any() -> None:
    coverage = Coverage(10 * HOUR, 0, (), 6 * HOUR, 2 * HOUR)
    assert spans(0, 8 * HOUR, "1m", coverage) == [Span("raw", 0, 6 * HOUR), Span("1m", 6 * HOUR, 8 * HOUR)]
    assert spans(0, 8 * HOUR, "1h", coverage) == [Span("raw", 0, 2 * HOUR), Span("1h", 2 * HOUR, 8 * HOUR)]
    assert spans(5 * HOUR, 5 * HOUR + 1, "1h", coverage) == [Span("raw", 5 * HOUR, 5 * HOUR + 1)]


@given(
    begin=st.integers(0, 12 * HOUR),
    length=st.integers(1, 12 * HOUR),
    resolution=st.sampled_from(["raw", "1m", "1h"]),
    rolled=st.integers(0, 12),
    dirty=st.sets(st.integers(0, 12)),
    kept=st.tuples(st.integers(0, 12), st.integers(0, 12)),
)
def test_every_moment_of_an_open_range_is_read_once_and_only_from_what_is_right(
    begin: int, length: int, resolution: Resolution, rolled: int, dirty: set[int], kept: tuple[int, int]
) -> None:
    coverage = Coverage(
        rolled * HOUR, 0, tuple(h * HOUR for h in sorted(dirty)), kept[0] * HOUR, kept[1] * HOUR
    )
    found = spans(begin, begin + length, resolution, coverage)
    assert (found[0].start_ms, found[-1].end_ms) == (begin, begin + length)
    assert all(one.end_ms == next_one.start_ms for one, next_one in itertools.pairwise(found))
    for one in found:
        unit_ms = UNIT_MS[one.resolution]
        assert one.start_ms % unit_ms == one.end_ms % unit_ms == 0
        assert unit_ms <= UNIT_MS[resolution]
        hours = set(range(one.start_ms // HOUR, (one.end_ms - 1) // HOUR + 1))
        if one.resolution != "raw":
            assert max(hours) < rolled
            assert not hours & dirty
            assert min(hours) >= (kept[0] if one.resolution == "1m" else kept[1])
