"""Packing readings into messages, and when they are due."""

import itertools
from collections import deque

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.limits.telemetry import MAX_PAYLOAD_BYTES, MAX_READINGS_PER_MESSAGE
from simulators.readings import first_past_moment, next_due, past_step, phase, take_message

READINGS = st.lists(st.integers(1, 400).map(lambda size: b'{"x":"' + b"a" * size + b'"}'), min_size=1)


def test_a_single_reading_is_sent_as_it_is() -> None:
    assert take_message(deque([b'{"ts":1}'])) == (b'{"ts":1}', 1)


@given(readings=READINGS)
def test_messages_keep_every_reading_in_order_and_within_the_limits(readings: list[bytes]) -> None:
    waiting = deque(readings)
    unpacked: list[bytes] = []
    while waiting:
        payload, num_readings = take_message(waiting, max_readings=5, max_bytes=900)
        assert len(payload) <= 900
        assert 1 <= num_readings <= 5
        content = msgspec.json.decode(payload)
        items = content if isinstance(content, list) else [content]
        assert len(items) == num_readings
        unpacked += [msgspec.json.encode(item) for item in items]
    assert unpacked == readings


@pytest.mark.parametrize(("size", "expected"), [(10, MAX_READINGS_PER_MESSAGE), (300, None)])
def test_a_message_is_filled_up_to_what_the_hub_takes(size: int, expected: int | None) -> None:
    payload, num_readings = take_message(deque([b"1" * size] * 5000))
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert num_readings == (expected or (MAX_PAYLOAD_BYTES - 1) // (size + 1))


def test_only_what_is_newer_than_the_hub_knows_is_filled_in() -> None:
    assert first_past_moment(1000, None, 60) == 1000
    assert first_past_moment(1000, 500, 60) == 1000
    assert first_past_moment(1000, 2000, 60) == 2060


def test_the_past_is_filled_in_by_the_minute_and_its_end_as_dense_as_the_present():
    assert past_step(24 * 3_600_000, 60_000, 5_000) == 60_000
    assert past_step(630_000, 60_000, 5_000) == 30_000
    assert past_step(600_000, 60_000, 5_000) == 5_000
    assert past_step(600_000, 60_000, 300_000) == 60_000


@given(now_ms=st.integers(0, 2**42), interval_ms=st.integers(1, 10**6), share=st.floats(0, 0.999))
def test_the_next_reading_is_on_the_grid_and_within_one_interval(
    now_ms: int, interval_ms: int, share: float
) -> None:
    phase_ms = int(share * interval_ms)
    due_ms = next_due(now_ms, interval_ms, phase_ms)
    assert now_ms <= due_ms < now_ms + interval_ms
    assert due_ms % interval_ms == phase_ms


@pytest.mark.parametrize("num_devices", [2, 10, 30, 1000])
def test_publishes_are_spread_over_the_interval(num_devices: int) -> None:
    phases = sorted(phase(index) for index in range(num_devices))
    gaps = [b - a for a, b in itertools.pairwise(phases)]
    assert max(gaps) < 2.7 / num_devices + 0.2 / num_devices**0.5
    assert min(gaps) > 0.2 / num_devices
