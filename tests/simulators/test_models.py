"""Models over a simulated week: plausible, correlated, and the same wherever they run."""

import hashlib
import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.limits.telemetry import MAX_TEXT_CHARS
from hub.protocol.topics import METRIC_KEY_PATTERN, RESERVED_METRIC_KEYS, TYPE_SLUG_PATTERN
from simulators.models import MODELS
from simulators.models.thermostat import HYSTERESIS_C
from simulators.readings import Track
from simulators.spec import Metric, ModelType, Value
from simulators.weather import Weather

START_MS = 1_763_942_400_000  # Monday, 24 November 2025, 0:00 UTC
MINUTE_MS = 60_000
WEEK_MINUTES = 7 * 24 * 60
Week = list[dict[str, Any]]


@pytest.fixture(scope="module")
def week() -> Callable[[str, int], Week]:
    """A week of minutely readings of a model's nth device, made once."""
    made: dict[tuple[str, int], Week] = {}

    def make(slug: str, number: int = 1) -> Week:
        if (slug, number) not in made:
            track = Track(MODELS[slug], f"{slug}-{number}", 7, START_MS, Weather(7))
            made[slug, number] = [track.values(START_MS + i * MINUTE_MS) for i in range(1, WEEK_MINUTES + 1)]
        return made[slug, number]

    return make


def column(week: Week, key: str) -> list[Any]:
    return [values[key] for values in week]


def hours(week: Week, key: str, first: int, last: int) -> list[Any]:
    """The values measured from `first` until `last` o'clock, over all days."""
    return [values[key] for i, values in enumerate(week, 1) if first <= i // 60 % 24 < last]


def mean(values: list[Any]) -> float:
    return float(sum(values) / len(values))


def fits(metric: Metric, value: Value) -> bool:
    """Whether the hub takes the value (design 4.2)."""
    if metric.kind == "boolean":
        return isinstance(value, bool)
    if metric.kind == "text":
        return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARS
    if isinstance(value, bool | str):
        return False
    above = metric.minimum is None or value >= metric.minimum
    return above and (metric.maximum is None or value <= metric.maximum)


@pytest.mark.parametrize("model_type", MODELS.values(), ids=lambda each: each.slug)
class TestEveryModel:
    def test_a_model_declares_what_the_hub_accepts(self, model_type: ModelType) -> None:
        assert re.fullmatch(TYPE_SLUG_PATTERN, model_type.slug)
        assert model_type.expected_interval_s > 0
        keys = [metric.key for metric in model_type.metrics]
        assert len(set(keys)) == len(keys)
        for metric in model_type.metrics:
            assert re.fullmatch(METRIC_KEY_PATTERN, metric.key)
            assert metric.key not in RESERVED_METRIC_KEYS
            assert (metric.precision is not None) == (metric.kind == "number")

    def test_a_week_of_readings_fits_the_declared_metrics(
        self, model_type: ModelType, week: Callable[..., Week]
    ) -> None:
        for number in (1, 2, 3):
            for values in week(model_type.slug, number):
                assert list(values) == [metric.key for metric in model_type.metrics]
                for metric in model_type.metrics:
                    assert fits(metric, values[metric.key]), (metric.key, values[metric.key])

    def test_the_same_seed_gives_the_same_bytes(self, model_type: ModelType) -> None:
        def payloads(seed: int, device_id: str) -> list[bytes]:
            track = Track(model_type, device_id, seed, START_MS, Weather(seed))
            past = [track.past(START_MS + i * MINUTE_MS) for i in range(1, 200)]
            return past + [track.live(START_MS + 200 * MINUTE_MS + i * 5000) for i in range(200)]

        assert payloads(7, "a") == payloads(7, "a")
        assert payloads(7, "a") != payloads(8, "a")
        assert payloads(7, "a") != payloads(7, "b")

    def test_two_devices_do_not_move_together(self, model_type: ModelType, week: Callable[..., Week]) -> None:
        numbers = [metric.key for metric in model_type.metrics if metric.kind == "number"]
        assert any(
            column(week(model_type.slug, 1), key) != column(week(model_type.slug, 2), key) for key in numbers
        )

    @settings(max_examples=15, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        start_ms=st.integers(1_500_000_000_000, 2_000_000_000_000),
        steps_ms=st.lists(st.integers(1, 3 * 3_600_000), min_size=1, max_size=30),
    )
    def test_any_steps_from_any_start_give_values_that_fit(
        self, model_type: ModelType, seed: int, start_ms: int, steps_ms: list[int]
    ) -> None:
        track = Track(model_type, "d", seed, start_ms, Weather(seed, 3600))
        for step_ms in steps_ms:
            start_ms += step_ms
            values = track.values(start_ms)
            assert all(fits(metric, values[metric.key]) for metric in model_type.metrics)


def test_payloads_are_the_same_on_every_machine() -> None:
    """The hash was made once; another Python, processor or C library must come to the same."""
    digest = hashlib.sha256()
    for model_type in MODELS.values():
        track = Track(model_type, "device", 1, START_MS, Weather(1))
        for i in range(1000):
            digest.update(track.live(START_MS + i * 2000))
    assert digest.hexdigest() == "e59fbd648872d612dec729e3184868154d0a13a4e985fbe5d80c0b0bae9e8b97"


def test_live_readings_are_numbered_and_past_ones_are_not() -> None:
    track = Track(MODELS["thermostat"], "d", 1, START_MS, Weather(1))
    assert "seq" not in msgspec.json.decode(track.past(START_MS + 1))
    assert [msgspec.json.decode(track.live(START_MS + i))["seq"] for i in (2, 3)] == [0, 1]


class TestThermostat:
    def test_heating_switches_only_at_the_edges_of_the_band(self, week: Callable[..., Week]) -> None:
        rows = week("thermostat")
        switched = 0
        for before, now in itertools.pairwise(rows):
            if now["heating"] and not before["heating"]:
                assert now["temperature"] <= now["setpoint"] - HYSTERESIS_C + 0.001
                switched += 1
            if before["heating"] and not now["heating"] and now["mode"] != "window":
                assert now["temperature"] >= now["setpoint"] + HYSTERESIS_C - 0.001
        assert switched > 20

    def test_nobody_heats_with_the_window_open(self, week: Callable[..., Week]) -> None:
        airing = [values for values in week("thermostat") if values["mode"] == "window"]
        assert airing
        assert not any(values["heating"] for values in airing)

    def test_the_room_warms_while_it_is_heated_and_cools_otherwise(self, week: Callable[..., Week]) -> None:
        rows = week("thermostat")
        heated: list[float] = []
        unheated: list[float] = []
        for earlier, now in zip(rows, rows[10:], strict=False):
            if earlier["heating"] == now["heating"] and now["mode"] == earlier["mode"] != "window":
                (heated if now["heating"] else unheated).append(now["temperature"] - earlier["temperature"])
        assert mean(heated) > 0.1
        assert mean(unheated) < -0.1

    def test_the_day_cycle_is_visible(self, week: Callable[..., Week]) -> None:
        rows = week("thermostat")
        assert mean(hours(rows, "temperature", 19, 22)) > mean(hours(rows, "temperature", 3, 6)) + 1.0
        assert min(column(rows, "temperature")) > 13
        assert max(column(rows, "temperature")) < 26

    def test_warmer_air_is_drier(self, week: Callable[..., Week]) -> None:
        rows = [values for values in week("thermostat") if values["mode"] != "window"]
        rows.sort(key=lambda values: values["temperature"])
        third = len(rows) // 3
        assert mean(column(rows[:third], "humidity")) > mean(column(rows[-third:], "humidity")) + 2


class TestPowerMeter:
    def test_energy_only_grows(self, week: Callable[..., Week]) -> None:
        for number in (1, 2, 3):
            for key in ("energy_kwh", "feed_in_kwh"):
                values = column(week("power-meter", number), key)
                assert all(a <= b for a, b in itertools.pairwise(values))
            grown = column(week("power-meter", number), "energy_kwh")
            assert 15 < grown[-1] - grown[0] < 150

    def test_energy_is_the_sum_of_power(self, week: Callable[..., Week]) -> None:
        rows = week("power-meter")[:1440]
        taken = sum(max(0.0, values["power"]) for values in rows[1:]) / 60 / 1000
        assert rows[-1]["energy_kwh"] - rows[0]["energy_kwh"] == pytest.approx(taken, abs=0.01)

    def test_current_and_voltage_belong_to_the_power(self, week: Callable[..., Week]) -> None:
        for values in week("power-meter"):
            apparent = values["current"] * values["voltage"] * 0.96
            assert apparent == pytest.approx(abs(values["power"]), abs=2.5)
            assert 207 < values["voltage"] < 253

    def test_evenings_take_more_than_nights(self, week: Callable[..., Week]) -> None:
        rows = week("power-meter")
        assert mean(hours(rows, "power", 17, 22)) > mean(hours(rows, "power", 0, 5)) + 200

    def test_the_sun_shines_by_day_only(self) -> None:
        weather = Weather(3)
        noons = [weather.sun(START_MS + (day * 24 + 12) * 3_600_000) for day in range(30)]
        nights = [
            weather.sun(START_MS + (day * 24 + hour) * 3_600_000) for day in range(30) for hour in (0, 22)
        ]
        assert max(noons) > 0.3
        assert set(nights) == {0.0}

    def test_summer_has_more_sun_than_winter(self) -> None:
        weather = Weather(3)
        half_year_ms = 182 * 24 * 3_600_000
        winter = sum(weather.sun(START_MS + hour * 3_600_000) for hour in range(24 * 30))
        summer = sum(weather.sun(START_MS + half_year_ms + hour * 3_600_000) for hour in range(24 * 30))
        assert summer > 2 * winter

    def test_a_restarted_meter_goes_on_counting(self) -> None:
        track = Track(MODELS["power-meter"], "d", 1, START_MS, Weather(1))
        track.restore({"energy_kwh": 123_456.789, "power": 5.0, "state": "odd"})
        assert float(track.values(START_MS + 1000)["energy_kwh"]) >= 123_456.789


class TestWaterPump:
    def test_flow_pressure_and_vibration_follow_the_pump(self, week: Callable[..., Week]) -> None:
        rows = week("water-pump")
        running = [values for values in rows if values["state"] == "running"]
        stopped = [values for values in rows if values["state"] == "stopped"]
        assert len(running) > 500
        assert len(stopped) > 500
        assert min(column(running, "flow")) > 80
        assert max(column(stopped, "flow")) < 4
        assert min(column(running, "pressure")) > 2.0
        assert max(column(stopped, "pressure")) < 0.5
        assert min(column(running, "vibration")) > max(column(stopped, "vibration"))

    def test_it_starts_and_stops_many_times_a_day(self, week: Callable[..., Week]) -> None:
        states = column(week("water-pump"), "running")
        changes = sum(a != b for a, b in itertools.pairwise(states))
        assert 7 * 20 < changes < 7 * 400

    def test_the_motor_warms_while_it_runs(self, week: Callable[..., Week]) -> None:
        rows = week("water-pump")
        pairs = [(a, b) for a, b in itertools.pairwise(rows) if a["state"] == b["state"]]
        warming = [b["motor_temperature"] - a["motor_temperature"] for a, b in pairs if b["running"]]
        cooling = [b["motor_temperature"] - a["motor_temperature"] for a, b in pairs if not b["running"]]
        assert mean(warming) > 0.2
        assert mean(cooling) < -0.1
        assert min(column(rows, "motor_temperature")) > 10
        assert max(column(rows, "motor_temperature")) < 95

    def test_wear_grows_slowly_and_never_shrinks(self, week: Callable[..., Week]) -> None:
        wear = column(week("water-pump"), "wear")
        assert all(a <= b for a, b in itertools.pairwise(wear))
        assert 0.5 < wear[-1] - wear[0] < 5

    def test_a_worn_pump_shakes_more(self) -> None:
        def shaking(wear: float) -> float:
            model = MODELS["water-pump"].create(random.Random(5), Weather(5))
            model.restore({"wear": wear, "running": True})
            return max(float(model.step(START_MS + i * 1000, 1.0)["vibration"]) for i in range(60))

        assert shaking(90) > 2 * shaking(5)
