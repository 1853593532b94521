"""From a model to the bytes of its readings: same seed, same start, same steps, same bytes. Pure."""

import random
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from hub.limits.simulators import SIMULATOR_MAX_STEP_S, SIMULATOR_RECENT_S
from hub.limits.telemetry import MAX_PAYLOAD_BYTES, MAX_READINGS_PER_MESSAGE
from simulators.spec import ModelType, Value
from simulators.weather import Weather

_ENCODE: Final = msgspec.json.Encoder().encode


class Track:
    """One device's readings over time. Give it rising moments; it answers the payload of each.

    `start_ms` is where its time begins. Live readings are numbered (`seq`) from 0.
    """

    def __init__(
        self, model_type: ModelType, device_id: str, seed: int, start_ms: int, weather: Weather
    ) -> None:
        self._type = model_type
        self._model = model_type.create(random.Random(f"{seed}:{device_id}"), weather)
        self._now_ms = start_ms
        self._seq = 0

    def restore(self, values: Mapping[str, Value]) -> None:
        """Go on from what the hub knows of this device."""
        self._model.restore(values)

    def values(self, ts_ms: int) -> dict[str, Value]:
        """Let time pass up to `ts_ms`; what the device measures then, as it is sent."""
        remaining_s = max(0.0, (ts_ms - self._now_ms) / 1000)
        self._now_ms = ts_ms
        while remaining_s > SIMULATOR_MAX_STEP_S:
            remaining_s -= SIMULATOR_MAX_STEP_S
            self._model.step(ts_ms - round(remaining_s * 1000), SIMULATOR_MAX_STEP_S)
        return self._type.settle(self._model.step(ts_ms, remaining_s))

    def live(self, ts_ms: int) -> bytes:
        """A numbered reading: `{"ts":…,"seq":…,"values":{…}}`."""
        payload = _ENCODE({"ts": ts_ms, "seq": self._seq, "values": self.values(ts_ms)})
        self._seq += 1
        return payload

    def past(self, ts_ms: int) -> bytes:
        """A reading without a number: filling in the past must not look like a restarted counter."""
        return _ENCODE({"ts": ts_ms, "values": self.values(ts_ms)})


def take_message(
    waiting: deque[bytes], max_readings: int = MAX_READINGS_PER_MESSAGE, max_bytes: int = MAX_PAYLOAD_BYTES
) -> tuple[bytes, int]:
    """Take as many readings as fit in one message off the left of `waiting`: (payload, number of readings).

    One reading is sent as it is, several as an array.
    """
    taken = [waiting.popleft()]
    size = len(taken[0]) + 2
    while waiting and len(taken) < max_readings and size + 1 + len(waiting[0]) <= max_bytes:
        size += 1 + len(waiting[0])
        taken.append(waiting.popleft())
    return (taken[0] if len(taken) == 1 else b"[" + b",".join(taken) + b"]"), len(taken)


def first_past_moment(from_ms: int, newest_ms: int | None, every_ms: int) -> int:
    """Where filling in the past begins: at `from_ms`, but only what is newer than `newest_ms`."""
    return from_ms if newest_ms is None else max(from_ms, newest_ms + every_ms)


def past_step(age_ms: int, every_ms: int, interval_ms: int) -> int:
    """How far the next reading of the past is from one of this age: `every_ms`, and the live interval,
    at least a second, within the last SIMULATOR_RECENT_S."""
    older_by_ms = age_ms - SIMULATOR_RECENT_S * 1000
    if older_by_ms <= 0:
        return max(1_000, min(interval_ms, every_ms))
    return max(1, min(every_ms, older_by_ms))


def next_due(now_ms: int, interval_ms: int, phase_ms: int) -> int:
    """The first moment at or after now on the device's grid: whole intervals since 1970 plus its phase."""
    return now_ms + (phase_ms - now_ms) % interval_ms


def phase(index: int) -> float:
    """Where in its interval device number `index` publishes, in [0, 1): evenly spread for any fleet size."""
    golden_ratio = 0.6180339887498949
    return index * golden_ratio % 1.0
