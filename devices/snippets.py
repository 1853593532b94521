"""What a newcomer pastes into a terminal to send a first reading."""

import json
import shlex
from collections.abc import Iterable

from devices.models import Metric, MetricKind
from devices.mqtt import Coordinates

_MAX_METRICS = 3


def mosquitto_pub(mqtt: Coordinates, metrics: Iterable[Metric], token: str) -> str:
    """A line for a POSIX shell that publishes one reading the device type accepts."""
    words = ["mosquitto_pub", "-h", mqtt["host"], "-p", str(mqtt["port"])]
    if mqtt["tls"]:
        words.append("--tls-use-os-certs")
    words += ["-i", mqtt["username"], "-u", mqtt["username"], "-P", token, "-q", "1"]
    words += ["-t", mqtt["topics"]["telemetry"], "-m", json.dumps(sample_values(metrics))]
    return shlex.join(words)


def sample_values(metrics: Iterable[Metric]) -> dict[str, float | bool | str]:
    """Values that the first few metrics accept."""
    known = list(metrics)[:_MAX_METRICS]
    return {metric.key: _sample(metric) for metric in known} or {"value": 1.0}


def _sample(metric: Metric) -> float | bool | str:
    if metric.kind == MetricKind.BOOLEAN:
        return True
    if metric.kind == MetricKind.TEXT:
        return "text"
    low, high = metric.minimum, metric.maximum
    if low is not None and high is not None:
        return (low + high) / 2
    if low is not None:
        return low + 1
    return 21.5 if high is None else high - 1
