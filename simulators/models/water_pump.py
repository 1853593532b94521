"""A pump that keeps a tank filled: it starts when the tank is low and stops when it is full."""

import random
from collections.abc import Mapping
from typing import Final

from simulators.parts import Counter, Hysteresis, Lag, OrnsteinUhlenbeck
from simulators.spec import Metric, ModelType, Value
from simulators.weather import Weather

HOUR_S: Final = 3600.0
_TANK_LOW_L: Final = 250.0
_TANK_HIGH_L: Final = 550.0
_TANK_L: Final = 700.0
_RUNNING_ABOVE: Final = 0.9
_STOPPED_BELOW: Final = 0.03
_LIFE_S: Final = 1500 * HOUR_S
_STATIC_BAR: Final = 0.4


class WaterPump:
    """Flow, pressure, vibration and heat all follow the speed of the shaft; wear spoils each a little."""

    def __init__(self, rng: random.Random, weather: Weather) -> None:
        self._weather = weather
        self._rated_l_min = rng.uniform(105.0, 135.0)
        self._head_bar = rng.uniform(2.9, 3.6)
        self._demand_l_min = rng.uniform(22.0, 40.0)
        self._tank_l = rng.uniform(_TANK_LOW_L, _TANK_HIGH_L)
        self._relay = Hysteresis()
        self._speed = Lag(0.0, tau_s=3.0)
        self._motor_c = Lag(24.0, tau_s=14 * 60.0)
        self._draw = OrnsteinUhlenbeck(rng, mean=1.0, sigma=0.25, tau_s=7 * 60.0)
        self._ripple = OrnsteinUhlenbeck(rng, mean=1.0, sigma=0.012, tau_s=6.0)
        self._rattle = OrnsteinUhlenbeck(rng, mean=1.0, sigma=0.10, tau_s=9.0)
        self._wear = Counter(rng.uniform(0.02, 0.45))

    def restore(self, values: Mapping[str, Value]) -> None:
        wear = values.get("wear")
        if isinstance(wear, int | float) and not isinstance(wear, bool):
            self._wear.value = wear / 100.0
        self._relay.on = values.get("running") is True

    def step(self, now_ms: int, dt_s: float) -> dict[str, Value]:
        running = self._relay.on
        speed = self._speed.step(1.0 if running else 0.0, dt_s)
        wear = self._wear.add(speed * dt_s / _LIFE_S) if self._wear.value < 1.0 else 1.0
        ripple, rattle = self._ripple.step(dt_s), self._rattle.step(dt_s)
        flow_l_min = self._rated_l_min * speed * (1.0 - 0.18 * wear) * ripple
        self._fill(now_ms, flow_l_min, dt_s)
        ambient_c = 20.0 + 0.3 * (self._weather.outdoor_c(now_ms) - 10.0)
        return {
            "running": running,
            "state": _state(running, speed),
            "flow": flow_l_min,
            "pressure": _STATIC_BAR + self._head_bar * speed * speed * (1.0 - 0.12 * wear) * ripple,
            "vibration": max(0.02, 0.08 + speed * (1.1 + 5.5 * wear * wear) * rattle),
            "motor_temperature": self._motor_c.step(ambient_c + speed * (38.0 + 22.0 * wear), dt_s),
            "wear": 100.0 * min(1.0, wear),
        }

    def _fill(self, now_ms: int, flow_l_min: float, dt_s: float) -> None:
        """The tank gains what is pumped and loses what is drawn; its float moves the relay."""
        usual_l_min = self._demand_l_min * _profile(self._weather.local(now_ms).hour)
        draw = usual_l_min * max(0.0, self._draw.step(dt_s))
        self._tank_l = min(_TANK_L, max(0.0, self._tank_l + (flow_l_min - draw) * dt_s / 60.0))
        self._relay.step(self._tank_l, _TANK_LOW_L, _TANK_HIGH_L)


def _profile(hour: float) -> float:
    """How much water is drawn at a time of day, relative to a usual hour."""
    if 6.0 <= hour < 9.0:
        return 1.7
    if 17.0 <= hour < 21.0:
        return 1.4
    return 1.0 if 9.0 <= hour < 23.0 else 0.4


def _state(running: bool, speed: float) -> str:
    if running:
        return "running" if speed >= _RUNNING_ABOVE else "starting"
    return "stopped" if speed <= _STOPPED_BELOW else "stopping"


WATER_PUMP: Final = ModelType(
    slug="water-pump",
    name="Water pump",
    description="A pump that refills a tank: flow, pressure, vibration and heat follow speed and wear.",
    expected_interval_s=2,
    metrics=(
        Metric("running", "Running", kind="boolean"),
        Metric("state", "State", kind="text"),
        Metric("flow", "Flow", unit="l/min", minimum=0, maximum=500, precision=1),
        Metric("pressure", "Pressure", unit="bar", minimum=0, maximum=16, precision=2),
        Metric("vibration", "Vibration", unit="mm/s", minimum=0, maximum=50, precision=2),
        Metric("motor_temperature", "Motor temperature", unit="°C", minimum=-20, maximum=150, precision=1),
        Metric("wear", "Wear", unit="%", minimum=0, maximum=100, precision=2),
    ),
    places=tuple(f"Pump {letter}{number}" for number in (1, 2) for letter in "ABCDE"),
    create=WaterPump,
)
