"""The small parts that models are composed of."""

import random
import statistics

import pytest

from simulators.parts import (
    Constant,
    Counter,
    Hysteresis,
    Lag,
    MarkovSwitch,
    OrnsteinUhlenbeck,
    RandomWalk,
    Sine,
)
from simulators.spec import Metric


def test_a_lag_is_two_thirds_of_the_way_after_its_time_constant() -> None:
    assert Lag(0.0, tau_s=10).step(1.0, 10) == pytest.approx(0.632, abs=0.001)


def test_a_lag_comes_to_the_same_in_small_and_large_steps() -> None:
    small, large = Lag(5.0, tau_s=30), Lag(5.0, tau_s=30)
    for _ in range(60):
        small.step(20.0, 1.0)
    assert small.value == pytest.approx(large.step(20.0, 60.0))


@pytest.mark.parametrize("dt_s", [1.0, 60.0])
def test_noise_with_a_memory_has_its_spread_at_any_step(dt_s: float) -> None:
    noise = OrnsteinUhlenbeck(random.Random(1), mean=10, sigma=2, tau_s=30)
    values = [noise.step(dt_s) for _ in range(20_000)]
    assert statistics.mean(values) == pytest.approx(10, abs=0.4)
    assert statistics.stdev(values) == pytest.approx(2, rel=0.15)


def test_a_random_walk_stays_within_its_bounds() -> None:
    walk = RandomWalk(random.Random(1), value=0, spread=1, low=-2, high=2)
    values = [walk.step(1.0) for _ in range(1000)]
    assert min(values) == -2
    assert max(values) == 2


def test_a_switch_is_on_for_its_share_of_the_time() -> None:
    switch = MarkovSwitch(random.Random(1), mean_on_s=100)
    on = sum(switch.step(on_per_s=1 / 300, dt_s=5) for _ in range(40_000))
    assert on / 40_000 == pytest.approx(0.25, abs=0.03)


def test_hysteresis_keeps_its_state_within_the_band() -> None:
    relay = Hysteresis()
    assert [relay.step(value, 1, 3) for value in (2, 1, 2, 3, 2)] == [False, True, True, False, False]


def test_a_counter_never_goes_back() -> None:
    counter = Counter(5)
    counter.add(-3)
    counter.restore(2)
    counter.restore("many")
    counter.restore(True)
    assert counter.value == 5
    counter.restore(9)
    assert counter.add(0.5) == 9.5


def test_a_sine_and_a_constant_do_as_they_are_called() -> None:
    wave = Sine(mean=10, amplitude=2, period_s=60)
    assert [wave.at(0), wave.at(15_000), wave.at(45_000)] == pytest.approx([10, 12, 8])
    assert Constant(4).step(60) == 4


@pytest.mark.parametrize(
    ("metric", "value", "settled"),
    [
        (Metric("a", "A", precision=2), 1.2345, "1.23"),
        (Metric("a", "A", precision=1), -0.01, "0.0"),
        (Metric("a", "A", precision=0), 2.6, "3"),
        (Metric("a", "A", minimum=0, maximum=5, precision=1), 7.0, "5.0"),
        (Metric("a", "A", minimum=0, maximum=5, precision=1), -7, "0.0"),
        (Metric("a", "A", kind="boolean"), True, "True"),
        (Metric("a", "A", kind="text"), "eco", "eco"),
    ],
)
def test_a_value_is_sent_with_its_bounds_and_decimals(metric: Metric, value: object, settled: str) -> None:
    assert str(metric.settle(value)) == settled  # type: ignore[arg-type]
