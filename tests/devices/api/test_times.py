import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.api.times import iso, moment_ms
from hub.limits.telemetry import MAX_SEQ


def test_a_moment_is_written_with_milliseconds_and_offset():
    assert iso(1_763_796_000_123) == "2025-11-22T07:20:00.123Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"


@given(st.integers(0, 253_402_300_799_999))
def test_what_is_written_can_be_read(ms):
    assert moment_ms(iso(ms)) == (ms or None)


def test_a_moment_beyond_every_calendar_is_written_as_the_last_one():
    assert iso(MAX_SEQ).startswith("9999-12-31")


@given(st.text())
def test_no_text_is_an_exception(text):
    moment_ms(text)


@pytest.mark.parametrize("text", ["", "now", "-1", "1.5", "²", "2025-11-22", "2025-11-22T07:20:00", "9" * 19])
def test_what_is_no_moment_is_none(text):
    assert moment_ms(text) is None
