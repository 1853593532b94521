"""Readings per second over the last five seconds."""

from hub.bridge.batch import Judged
from hub.bridge.rates import Rates
from tests.hub.bridge.parts import P1, accepted


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rates_are_means_over_five_seconds_by_type():
    clock = Clock()
    rates = Rates(clock)
    clock.now_s += 10
    rates.count(Judged(accepted=[accepted()] * 10 + [accepted(device=P1)] * 5))
    assert rates.per_s() == {"thermostat": 2.0, "pump": 1.0}
    assert rates.total_per_s == 3.0
    clock.now_s += 4
    rates.count(Judged(accepted=[accepted()] * 5))
    assert rates.per_s() == {"thermostat": 3.0, "pump": 1.0}
    clock.now_s += 2
    assert rates.per_s() == {"thermostat": 1.0}
    clock.now_s += 5
    assert rates.per_s() == {}
    assert rates.total_per_s == 0.0


def test_a_young_bridge_has_the_rate_of_its_life_and_a_second_at_least():
    clock = Clock()
    rates = Rates(clock)
    rates.count(Judged(accepted=[accepted()] * 10))
    assert rates.total_per_s == 10.0
    clock.now_s += 2
    assert rates.total_per_s == 5.0


def test_a_batch_without_readings_is_nothing():
    rates = Rates(Clock())
    rates.count(Judged())
    assert rates.per_s() == {}
