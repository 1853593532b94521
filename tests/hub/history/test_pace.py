"""How much a transaction of housekeeping does."""

import pytest

from hub.history.pace import Pace
from hub.limits.history import SLICE_AIM_S


def test_a_slice_that_took_too_long_is_followed_by_a_smaller_one() -> None:
    pace = Pace(1_000, 5_000)
    pace.took(4 * SLICE_AIM_S, 1_000)
    assert pace.amount == 250
    pace.took(1_000 * SLICE_AIM_S, 250)
    assert pace.amount == 1
    assert pace.longest_s == 1_000 * SLICE_AIM_S


def test_quick_slices_grow_by_and_by_and_not_without_end() -> None:
    pace = Pace(1_000, 2_000)
    pace.took(SLICE_AIM_S / 1_000, 1_000)
    assert pace.amount == 1_500
    pace.took(0.0, 1_500)
    assert pace.amount == 2_000


def test_a_slice_that_had_less_to_do_teaches_nothing() -> None:
    pace = Pace(1_000, 5_000)
    pace.took(SLICE_AIM_S / 1_000, 10)
    assert pace.amount == 1_000


@pytest.mark.parametrize("row_s", [2e-7, 2e-6, 5e-5, 1e-3])
def test_whatever_a_row_takes_slices_come_to_last_as_long_as_they_should(row_s: float) -> None:
    pace, duration_s = Pace(2_000, 10**6), 0.0
    for _ in range(20):
        duration_s = pace.amount * row_s
        pace.took(duration_s, pace.amount)
    assert 0.6 * SLICE_AIM_S < duration_s <= 1.01 * SLICE_AIM_S
