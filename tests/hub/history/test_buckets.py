"""The widths of buckets."""

import pytest

from hub.history.buckets import NICE_STEPS_MS, bucket_ms_for


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "points", "bucket_ms"),
    [
        (0, 86_399_999, 1_000, 120_000),
        (0, 86_399_999, 1_440, 60_000),
        (0, 365 * 86_400_000 - 1, 1_000, 12 * 3_600_000),
        (0, 999, 100, 10),
        (5, 5, 1, 1),
        (59_999, 60_000, 2, 1),
        (59_999, 60_000, 1, 120_000),
    ],
)
def test_the_narrowest_step_that_fits_is_taken(
    first_ms: int, last_ms: int, points: int, bucket_ms: int
) -> None:
    assert bucket_ms_for(first_ms, last_ms, points) == bucket_ms


def test_steps_grow() -> None:
    assert list(NICE_STEPS_MS) == sorted(set(NICE_STEPS_MS))


def test_even_all_of_time_fits_in_one_point() -> None:
    last_ms = 2**53 - 1
    assert last_ms // bucket_ms_for(1, last_ms, 1) == 0
