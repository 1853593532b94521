"""The sky that all devices of a fleet share: a function of time and seed, without state."""

import math
import random
from dataclasses import dataclass
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_YEAR_DAYS: Final = 365.2425
_WARMEST_DAY: Final = 200.0
_LONGEST_DAY: Final = 172.0
_COLD_SPELL_DAYS: Final = (2.7, 5.3, 11.0)
_CLOUD_HOURS: Final = (0.9, 3.7, 19.0)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A moment on the wall clock: `hour` in [0, 24), `weekday` 0 is Monday, `day` since 1970."""

    hour: float
    weekday: int
    day: int

    @property
    def is_weekend(self) -> bool:
        return self.weekday >= 5


class Weather:
    """Outdoor temperature, clouds and sun at a moment, the same for all devices with one seed."""

    def __init__(self, seed: int, utc_offset_s: int = 0) -> None:
        rng = random.Random(f"{seed}:weather")
        self._offset_ms = utc_offset_s * 1000
        self._spells = [(days * DAY_MS, rng.uniform(0, math.tau)) for days in _COLD_SPELL_DAYS]
        self._clouds = [(hours * HOUR_MS, rng.uniform(0, math.tau)) for hours in _CLOUD_HOURS]

    def local(self, now_ms: int) -> LocalTime:
        day, in_day_ms = divmod(now_ms + self._offset_ms, DAY_MS)
        return LocalTime(hour=in_day_ms / HOUR_MS, weekday=(day + 3) % 7, day=day)

    def outdoor_c(self, now_ms: int) -> float:
        """Air temperature in °C: season, day (coldest at 4, warmest at 16 o'clock), and weather."""
        local = self.local(now_ms)
        season = 8.0 + 7.0 * math.cos(math.tau * (local.day % _YEAR_DAYS - _WARMEST_DAY) / _YEAR_DAYS)
        daily = 4.0 * math.cos(math.tau * (local.hour - 16.0) / 24.0)
        return season + daily + 3.0 * _swing(self._spells, now_ms)

    def cloud(self, now_ms: int) -> float:
        """How much of the sun the clouds take, from 0 (clear) to 1 (overcast)."""
        return min(1.0, max(0.0, 0.45 + 0.75 * _swing(self._clouds, now_ms)))

    def sun(self, now_ms: int) -> float:
        """Sunshine on a roof, from 0 (night) to 1 (clear noon in summer); winter days are short and low."""
        local = self.local(now_ms)
        summer = 0.5 + 0.5 * math.cos(math.tau * (local.day % _YEAR_DAYS - _LONGEST_DAY) / _YEAR_DAYS)
        half_day_h = 4.2 + 3.8 * summer
        from_noon_h = abs(local.hour - 12.0)
        if from_noon_h >= half_day_h:
            return 0.0
        height = math.cos(math.pi / 2 * from_noon_h / half_day_h)
        return (0.45 + 0.55 * summer) * math.pow(height, 1.3) * (1.0 - 0.85 * self.cloud(now_ms))


def _swing(waves: list[tuple[float, float]], now_ms: int) -> float:
    """The mean of several sines: between -1 and 1, never quite the same twice."""
    return sum(math.sin(math.tau * now_ms / period + phase) for period, phase in waves) / len(waves)
