"""The small parts that models are composed of.

Each moves in exact steps: two steps of 30 s have the same distribution as one of 60 s, so the past
(one reading a minute) and the present (one every few seconds) come from one and the same model.
"""

import math
import random


class Constant:
    """A value that stays as it is."""

    def __init__(self, value: float) -> None:
        self.value = value

    def step(self, dt_s: float) -> float:
        return self.value


class Sine:
    """A wave over time: `mean` plus and minus `amplitude`, once every `period_s`."""

    def __init__(self, mean: float, amplitude: float, period_s: float, phase: float = 0.0) -> None:
        self._mean, self._amplitude, self._period_ms, self._phase = mean, amplitude, period_s * 1000, phase

    def at(self, now_ms: int) -> float:
        return self._mean + self._amplitude * math.sin(math.tau * now_ms / self._period_ms + self._phase)


class RandomWalk:
    """Wanders by `spread` (standard deviation a square root of a second) and is held within bounds."""

    def __init__(self, rng: random.Random, value: float, spread: float, low: float, high: float) -> None:
        self.value = value
        self._rng, self._spread, self._low, self._high = rng, spread, low, high

    def step(self, dt_s: float) -> float:
        moved = self.value + self._rng.gauss(0.0, self._spread * math.sqrt(dt_s))
        self.value = min(self._high, max(self._low, moved))
        return self.value


class OrnsteinUhlenbeck:
    """Noise with a memory: strays by `sigma` around `mean` and comes back within about `tau_s`."""

    def __init__(self, rng: random.Random, mean: float, sigma: float, tau_s: float) -> None:
        self.value = mean
        self._rng, self._mean, self._sigma, self._tau_s = rng, mean, sigma, tau_s

    def step(self, dt_s: float) -> float:
        kept = math.exp(-dt_s / self._tau_s)
        fresh = self._sigma * math.sqrt(1.0 - kept * kept)
        self.value = self._mean + (self.value - self._mean) * kept + self._rng.gauss(0.0, fresh)
        return self.value


class Lag:
    """Follows a target with the time constant `tau_s`: two thirds of the way after one of it."""

    def __init__(self, value: float, tau_s: float) -> None:
        self.value = value
        self._tau_s = tau_s

    def step(self, target: float, dt_s: float) -> float:
        self.value = target + (self.value - target) * math.exp(-dt_s / self._tau_s)
        return self.value


class Hysteresis:
    """Switches on at or below `low` and off at or above `high`; in between it stays as it is."""

    def __init__(self, on: bool = False) -> None:
        self.on = on

    def step(self, value: float, low: float, high: float) -> bool:
        if value <= low:
            self.on = True
        elif value >= high:
            self.on = False
        return self.on


class MarkovSwitch:
    """On or off without a memory: on average `on_per_s` starts a second, and `mean_on_s` seconds each."""

    def __init__(self, rng: random.Random, mean_on_s: float) -> None:
        self.on = False
        self._rng, self._mean_on_s = rng, mean_on_s

    def step(self, on_per_s: float, dt_s: float) -> bool:
        rate = 1.0 / self._mean_on_s if self.on else on_per_s
        # The die is thrown in every step, so that what comes later does not hang on what came before.
        if self._rng.random() < 1.0 - math.exp(-rate * dt_s):
            self.on = not self.on
        return self.on


class Counter:
    """A total that only grows."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def add(self, amount: float) -> float:
        """Negative amounts count as none."""
        self.value += max(0.0, amount)
        return self.value

    def restore(self, value: object) -> None:
        """Go on from a value known elsewhere, never backwards."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.value = max(self.value, float(value))
