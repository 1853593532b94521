"""What minutes and hours come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.history.rollups import (
    HOUR_MS,
    MINUTE_MS,
    Summary,
    added,
    hour_of,
    joined,
    minutes_of,
    pack,
    summaries_of,
    summary,
    unpack,
    with_hours,
)
from hub.history.store import RawRow
from hub.protocol.telemetry import Value

VALUES = st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e15, 1e15), st.booleans(), st.text(max_size=5))


def test_booleans_count_as_0_and_1_and_text_has_only_its_last_value() -> None:
    assert summary([True, False, True]) == Summary(3, 3, 2, 0, 1, True)
    assert summary(["eco", "off"]) == Summary(2, 0, 0, None, None, "off")
    assert summary([1, "x", 3.5]) == Summary(3, 2, 4.5, 1, 3.5, 3.5)
    assert str(summary([True]).minimum) == "1"


@given(st.lists(VALUES, min_size=1), st.lists(VALUES, min_size=1))
def test_two_summaries_joined_are_the_summary_of_all_values(earlier: list[Value], later: list[Value]) -> None:
    one, other = joined(summary(earlier), summary(later)), summary(earlier + later)
    assert one._replace(total=0) == other._replace(total=0)
    assert one.total == pytest.approx(other.total, rel=1e-9, abs=1.0)


@given(
    st.dictionaries(
        st.integers(0, HOUR_MS - 1), st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), max_size=30
    )
)
def test_what_is_packed_comes_back_as_it_was(values: dict[int, dict[str, Value]]) -> None:
    start = 500_000 * HOUR_MS
    minutes = minutes_of(RawRow(start + at, 0, None, one) for at, one in sorted(values.items()))
    back = summaries_of(start, MINUTE_MS, unpack(pack(start, MINUTE_MS, minutes)))
    assert back == minutes
    types = {(metric, at): type(one.last) for metric, held in minutes.items() for at, one in held.items()}
    assert types == {
        (metric, at): type(one.last) for metric, held in back.items() for at, one in held.items()
    }
    for metric, whole in hour_of(minutes).items():
        assert whole.num_values == sum(metric in one for one in values.values())


def test_an_hour_that_is_replaced_leaves_nothing_of_what_it_was() -> None:
    one, two = summary([1]), summary([2])
    day = {"t": {0: one, HOUR_MS: one}, "gone": {0: one}}
    assert with_hours(day, {0: {"t": two, "new": two}}) == {"t": {HOUR_MS: one, 0: two}, "new": {0: two}}
    assert with_hours({"t": {0: one}}, {0: {}}) == {}


def test_what_is_added_afterwards_does_not_become_the_last_value() -> None:
    both = added({"t": {0: summary([1, 2])}}, {"t": {0: summary([9]), 60_000: summary([4])}})
    assert both == {"t": {0: Summary(3, 3, 12, 1, 9, 2), 60_000: summary([4])}}
