"""What a device type declares, and what a model has to do. Pure: no clock, no network."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from simulators.weather import Weather

Value = float | int | bool | str
Kind = Literal["number", "boolean", "text"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured quantity, as it is registered with the hub.

    `precision` is the number of decimals; None for anything but a number. A `minimum` or
    `maximum` of None means unbounded.
    """

    key: str
    name: str
    kind: Kind = "number"
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None

    def settle(self, value: Value) -> Value:
        """The value as it is sent: within the declared bounds, with the declared decimals."""
        if self.kind != "number" or isinstance(value, str | bool):
            return value
        if self.minimum is not None:
            value = max(value, self.minimum)
        if self.maximum is not None:
            value = min(value, self.maximum)
        if self.precision == 0:
            return round(value)
        # "+ 0.0" turns -0.0 into 0.0: the same number must have the same bytes.
        return round(float(value), self.precision) + 0.0

    def as_json(self) -> dict[str, Any]:
        """The metric as the REST interface takes it (design 4.3)."""
        return {
            "key": self.key,
            "name": self.name,
            "kind": self.kind,
            "unit": self.unit,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "precision": self.precision,
        }


class Model(Protocol):
    """A thing that behaves. Deterministic: its only chance is the generator it was made with."""

    def step(self, now_ms: int, dt_s: float) -> dict[str, Value]:
        """Let `dt_s` seconds pass up to `now_ms`; answer what is measured then.

        A step is at most SIMULATOR_MAX_STEP_S long.
        """

    def restore(self, values: Mapping[str, Value]) -> None:
        """Go on from the values that the hub knows: a counter must not fall back to zero."""


@dataclass(frozen=True, slots=True)
class ModelType:
    """A device type with the model that plays it. `places` gives devices believable names."""

    slug: str
    name: str
    description: str
    expected_interval_s: float
    metrics: tuple[Metric, ...]
    places: tuple[str, ...]
    create: Callable[[random.Random, Weather], Model]

    def settle(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """All declared metrics in their declared order, each as it is sent."""
        return {metric.key: metric.settle(values[metric.key]) for metric in self.metrics}

    def place(self, number: int) -> str:
        """The name of the device with this number, counted from 1: `Kitchen`, later `Kitchen 2`."""
        rounds, index = divmod(number - 1, len(self.places))
        return self.places[index] if rounds == 0 else f"{self.places[index]} {rounds + 1}"
