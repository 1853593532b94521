"""How long a device waits before it tries again."""

import random

import pytest

from hub.limits.bridge import RECONNECT_MAX_S, RECONNECT_MIN_S
from hub.limits.simulators import SIMULATOR_REFUSED_RETRY_MAX_S, SIMULATOR_REFUSED_RETRY_MIN_S
from simulators.connection import backoff_s


def test_pauses_grow_and_stay_within_their_bounds() -> None:
    rng = random.Random(1)
    pauses = [[backoff_s(failures, rng) for _ in range(200)] for failures in range(1, 200)]
    assert all(RECONNECT_MIN_S <= each <= RECONNECT_MAX_S for row in pauses for each in row)
    assert max(pauses[0]) <= 2 * RECONNECT_MIN_S
    assert max(pauses[10]) > RECONNECT_MAX_S * 0.9


def test_devices_that_fail_together_do_not_come_back_together() -> None:
    pauses = [backoff_s(8, random.Random(f"1:device-{number}:connection")) for number in range(100)]
    assert max(pauses) - min(pauses) > RECONNECT_MAX_S / 2


@pytest.mark.parametrize("failures", [1, 2, 5, 50])
def test_who_was_refused_asks_less_often(failures: int) -> None:
    pause = backoff_s(failures, random.Random(1), refused=True)
    assert SIMULATOR_REFUSED_RETRY_MIN_S <= pause <= SIMULATOR_REFUSED_RETRY_MAX_S
    assert failures < 5 or pause >= SIMULATOR_REFUSED_RETRY_MAX_S / 2
