"""The meter of a household with appliances and, on some roofs, solar panels."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulators.parts import Counter, MarkovSwitch, OrnsteinUhlenbeck
from simulators.spec import Metric, ModelType, Value
from simulators.weather import LocalTime, Weather

HOUR_S: Final = 3600.0
_WATT_SECONDS_PER_KWH: Final = 3_600_000.0
_POWER_FACTOR: Final = 0.96


@dataclass(frozen=True, slots=True)
class Appliance:
    """`watts` while it runs for about `mean_on_s`; switched on `per_day` times, mostly in its hours."""

    watts: float
    mean_on_s: float
    per_day: float
    hours: tuple[tuple[float, float], ...]

    def rate(self, local: LocalTime) -> float:
        """Starts a second at this time of day; a weekend has half as many again."""
        busy_hours = sum(end - start for start, end in self.hours)
        busy = any(start <= local.hour < end for start, end in self.hours)
        per_day = self.per_day * (1.5 if local.is_weekend else 1.0)
        return per_day / (busy_hours * HOUR_S) if busy else 0.0


APPLIANCES: Final = (
    Appliance(watts=2100, mean_on_s=170, per_day=5, hours=((6.5, 9), (12, 13), (16, 21))),  # kettle
    Appliance(watts=1900, mean_on_s=40 * 60, per_day=1.1, hours=((11.5, 13), (17.5, 20))),  # oven
    Appliance(watts=950, mean_on_s=65 * 60, per_day=0.6, hours=((8, 20),)),  # washing machine
    Appliance(watts=1200, mean_on_s=55 * 60, per_day=0.7, hours=((13, 15), (20, 22.5))),  # dishwasher
    Appliance(watts=140, mean_on_s=100 * 60, per_day=2.2, hours=((17, 22.5),)),  # television
    Appliance(watts=90, mean_on_s=15 * 60, per_day=42, hours=((0, 24),)),  # refrigerator
)


class PowerMeter:
    """Net power from what the household takes and the sun gives; voltage bends with both."""

    def __init__(self, rng: random.Random, weather: Weather) -> None:
        self._weather = weather
        self._standby_w = rng.uniform(70.0, 160.0)
        self._lights_w = rng.uniform(80.0, 220.0)
        self._solar_peak_w = rng.choice((0.0, 3200.0, 4800.0, 6500.0))
        self._switches = [(each, MarkovSwitch(rng, each.mean_on_s)) for each in APPLIANCES]
        self._hum = OrnsteinUhlenbeck(rng, mean=1.0, sigma=0.03, tau_s=25.0)
        self._haze = OrnsteinUhlenbeck(rng, mean=0.95, sigma=0.04, tau_s=4 * 60.0)
        self._grid_v = OrnsteinUhlenbeck(rng, mean=231.0, sigma=1.6, tau_s=12 * 60.0)
        self._imported = Counter(rng.uniform(800.0, 9000.0))
        self._exported = Counter(rng.uniform(300.0, 4000.0) if self._solar_peak_w else 0.0)

    def restore(self, values: Mapping[str, Value]) -> None:
        """Go on counting from the readings that the hub has: a meter has no other memory worth keeping."""
        self._imported.restore(values.get("energy_kwh"))
        self._exported.restore(values.get("feed_in_kwh"))

    def step(self, now_ms: int, dt_s: float) -> dict[str, Value]:
        local = self._weather.local(now_ms)
        load_w = self._load(local, dt_s)
        haze = min(1.0, max(0.5, self._haze.step(dt_s)))
        solar_w = self._solar_peak_w * self._weather.sun(now_ms) * haze
        power_w = load_w - solar_w
        evening_dip_v = 2.0 if 17.0 <= local.hour < 21.0 else 0.0
        voltage = self._grid_v.step(dt_s) - evening_dip_v - 0.0009 * power_w
        return {
            "power": power_w,
            "solar": solar_w,
            "voltage": voltage,
            "current": abs(power_w) / (voltage * _POWER_FACTOR),
            "energy_kwh": self._imported.add(power_w * dt_s / _WATT_SECONDS_PER_KWH),
            "feed_in_kwh": self._exported.add(-power_w * dt_s / _WATT_SECONDS_PER_KWH),
        }

    def _load(self, local: LocalTime, dt_s: float) -> float:
        lights = self._lights_w if 6.0 <= local.hour < 8.0 or 16.5 <= local.hour < 23.0 else 0.0
        running = sum(each.watts for each, switch in self._switches if switch.step(each.rate(local), dt_s))
        return (self._standby_w + lights + running) * max(0.8, self._hum.step(dt_s))


POWER_METER: Final = ModelType(
    slug="power-meter",
    name="Power meter",
    description="A household over day and week: appliances, lights, solar panels, growing counters.",
    expected_interval_s=2,
    metrics=(
        Metric("power", "Power", unit="W", minimum=-20_000, maximum=20_000, precision=1),
        Metric("solar", "Solar power", unit="W", minimum=0, maximum=20_000, precision=1),
        Metric("voltage", "Voltage", unit="V", minimum=180, maximum=280, precision=1),
        Metric("current", "Current", unit="A", minimum=0, maximum=100, precision=2),
        Metric("energy_kwh", "Energy taken", unit="kWh", minimum=0, precision=3),
        Metric("feed_in_kwh", "Energy fed in", unit="kWh", minimum=0, precision=3),
    ),
    places=tuple(f"{number} {lane}" for lane in ("Mill Lane", "High Street") for number in (1, 3, 4, 7, 8)),
    create=PowerMeter,
)
