"""A room with a radiator: heat leaks to the outdoors, a thermostat replaces it, windows are opened."""

import math
import random
from collections.abc import Mapping
from typing import Final

from simulators.parts import Hysteresis, Lag, MarkovSwitch, OrnsteinUhlenbeck
from simulators.spec import Metric, ModelType, Value
from simulators.weather import LocalTime, Weather

HOUR_S: Final = 3600.0
HYSTERESIS_C: Final = 0.3
_NIGHT_C: Final = 17.5
_AWAY_C: Final = 18.5
_WINDOW_TAU_S: Final = 1.8 * HOUR_S
_WINDOW_OPEN_S: Final = 9 * 60.0
_WINDOWS_PER_DAY: Final = 4.0


class Thermostat:
    """Room temperature from heat flows, heating by hysteresis, humidity from temperature and people."""

    def __init__(self, rng: random.Random, weather: Weather) -> None:
        self._weather = weather
        self._comfort_c = rng.choice((20.5, 21.0, 21.5, 22.0))
        self._leaves_at, self._returns_at = rng.uniform(7.5, 9.0), rng.uniform(15.5, 18.0)
        self._loss_tau_s = rng.uniform(10.0, 16.0) * HOUR_S
        self._heat_c_per_s = rng.uniform(5.0, 7.0) / HOUR_S
        self._room_c = self._comfort_c + rng.uniform(-0.8, 0.2)
        self._heating = Hysteresis(on=rng.random() < 0.4)
        self._radiator = Lag(1.0 if self._heating.on else 0.0, tau_s=6 * 60.0)
        self._window = MarkovSwitch(rng, mean_on_s=_WINDOW_OPEN_S)
        self._sensor = OrnsteinUhlenbeck(rng, mean=0.0, sigma=0.03, tau_s=90.0)
        self._people = OrnsteinUhlenbeck(rng, mean=0.0, sigma=3.0, tau_s=2 * HOUR_S)
        self._humidity = Lag(rng.uniform(40.0, 52.0), tau_s=20 * 60.0)

    def restore(self, values: Mapping[str, Value]) -> None:
        temperature = values.get("temperature")
        if isinstance(temperature, int | float) and not isinstance(temperature, bool):
            self._room_c = float(temperature)
        self._heating.on = values.get("heating") is True

    def step(self, now_ms: int, dt_s: float) -> dict[str, Value]:
        local = self._weather.local(now_ms)
        outdoor_c = self._weather.outdoor_c(now_ms)
        window_open = self._window.step(_window_rate(local.hour), dt_s)
        self._move_heat(outdoor_c, self._weather.sun(now_ms), window_open, dt_s)
        comfort = self._is_comfort(local)
        setpoint_c = self._comfort_c if comfort else self._saving_c(local)
        measured_c = round(self._room_c + self._sensor.step(dt_s), 2)
        heating = self._decide(measured_c, setpoint_c, window_open)
        return {
            "temperature": measured_c,
            "setpoint": setpoint_c,
            "humidity": self._moisten(outdoor_c, window_open, dt_s),
            "heating": heating,
            "mode": "window" if window_open else "comfort" if comfort else "eco",
        }

    def _move_heat(self, outdoor_c: float, sun: float, window_open: bool, dt_s: float) -> None:
        """Solve dT/dt = gain - leak * (T - outdoor) exactly for one step of constant flows."""
        radiator = self._radiator.step(1.0 if self._heating.on else 0.0, dt_s)
        leak = 1.0 / self._loss_tau_s + (1.0 / _WINDOW_TAU_S if window_open else 0.0)
        gain = radiator * self._heat_c_per_s + (0.25 + 0.5 * sun) / HOUR_S
        settled_c = outdoor_c + gain / leak
        self._room_c = settled_c + (self._room_c - settled_c) * math.exp(-leak * dt_s)

    def _decide(self, measured_c: float, setpoint_c: float, window_open: bool) -> bool:
        """Heat below the band, stop above it; never heat the street."""
        if window_open:
            self._heating.on = False
            return False
        # Rounded, because the bounds are compared with a reading of two decimals.
        return self._heating.step(
            measured_c, round(setpoint_c - HYSTERESIS_C, 2), round(setpoint_c + HYSTERESIS_C, 2)
        )

    def _is_comfort(self, local: LocalTime) -> bool:
        awake = 6.0 <= local.hour < 22.5
        away = not local.is_weekend and self._leaves_at <= local.hour < self._returns_at
        return awake and not away

    def _saving_c(self, local: LocalTime) -> float:
        return _AWAY_C if 6.0 <= local.hour < 22.5 else _NIGHT_C

    def _moisten(self, outdoor_c: float, window_open: bool, dt_s: float) -> float:
        """Warm air holds more water, so the same water is less relative humidity; cold air brings little."""
        drying = 2.2 * (self._room_c - 21.0) + (14.0 if window_open and outdoor_c < 15.0 else 0.0)
        target = 46.0 + 0.4 * (outdoor_c - 8.0) - drying + self._people.step(dt_s)
        return self._humidity.step(target, dt_s)


def _window_rate(hour: float) -> float:
    """Openings a second: windows are opened while people are up."""
    return _WINDOWS_PER_DAY / (15.0 * HOUR_S) if 6.5 <= hour < 21.5 else 0.0


THERMOSTAT: Final = ModelType(
    slug="thermostat",
    name="Thermostat",
    description="A room that loses heat to the outdoors and is heated by a thermostat with hysteresis.",
    expected_interval_s=5,
    metrics=(
        Metric("temperature", "Temperature", unit="°C", minimum=-20, maximum=60, precision=2),
        Metric("setpoint", "Setpoint", unit="°C", minimum=5, maximum=35, precision=1),
        Metric("humidity", "Relative humidity", unit="%", minimum=0, maximum=100, precision=1),
        Metric("heating", "Heating", kind="boolean"),
        Metric("mode", "Mode", kind="text"),
    ),
    places=(
        "Living room",
        "Kitchen",
        "Bedroom",
        "Study",
        "Bathroom",
        "Hall",
        "Children's room",
        "Workshop",
        "Meeting room",
        "Reception",
    ),
    create=Thermostat,
)
