"""The values of one reading, judged one by one against the metrics of their type. Pure."""

import re
from typing import Final

from hub.bridge.registry import MetricEntry, TypeEntry
from hub.limits.telemetry import MAX_ABS_NUMBER, MAX_METRICS_PER_TYPE, MAX_TEXT_CHARS
from hub.protocol import telemetry
from hub.protocol.telemetry import Fault, Value
from hub.protocol.topics import METRIC_KEY_PATTERN, RESERVED_METRIC_KEYS

LEARN: Final = "learn"
IGNORE: Final = "ignore"
_SHOWN_CHARS: Final = 80
_KEY: Final = re.compile(METRIC_KEY_PATTERN)


def judge_values(values: dict[str, object], kind: TypeEntry) -> tuple[dict[str, Value], list[Fault]]:
    """Good values, and a fault for each bad one. `null` means absent."""
    good: dict[str, Value] = {}
    faults: list[Fault] = []
    metrics = kind.metrics
    for key, value in values.items():
        if value is None:
            continue
        metric = metrics.get(key)
        if metric is None:
            if kind.unknown_metrics != IGNORE:
                fault = unlearnable(key, value, kind) if kind.unknown_metrics == LEARN else None
                faults.append(fault or _unknown(key, kind))
            continue
        fault = _value_fault(value, metric)
        if fault is None:
            good[key] = value  # type: ignore[assignment]  # _value_fault has looked at its type
        else:
            faults.append(fault)
    return good, faults


def kind_of(value: object) -> str | None:
    """The kind that a metric would have with this value, None when it can have none."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def unlearnable(key: str, value: object, kind: TypeEntry) -> Fault | None:
    """Why a type that learns does not take a metric that it does not know from this value."""
    given = kind_of(value)
    if given is None:
        return _unknown(key, kind, f" and cannot learn it from {telemetry.name_of(value)}")
    if _KEY.fullmatch(key) is None or key in RESERVED_METRIC_KEYS:
        rule = "a key has letters, digits and _, a letter first, at most 64, and is not ts, seq or values"
        return _unknown(key, kind, f" and cannot learn it: {rule}")
    if len(kind.metrics) >= MAX_METRICS_PER_TYPE:
        return _unknown(key, kind, f" and is full: a type has at most {MAX_METRICS_PER_TYPE} metrics")
    return _value_fault(value, MetricEntry(key, given, None, None))


def _unknown(key: str, kind: TypeEntry, why: str = "") -> Fault:
    return _fault("unknown_metric", key, f"the type {kind.slug!r} has no metric {_shown(key)}{why}")


def _value_fault(value: object, metric: MetricEntry) -> Fault | None:
    given = type(value)
    if metric.kind == "number":
        if given is float or given is int:
            return _number_fault(value, metric)  # type: ignore[arg-type]
    elif metric.kind == "boolean":
        if given is bool:
            return None
    elif given is str:
        return _text_fault(value, metric)  # type: ignore[arg-type]
    return _fault("wrong_kind", metric.key, f"{metric.key} is a {metric.kind}, got {_shown(value)}")


def _number_fault(value: float, metric: MetricEntry) -> Fault | None:
    # A comparison also refuses NaN, and integers too large to become a float.
    if not -MAX_ABS_NUMBER <= value <= MAX_ABS_NUMBER:
        return _fault("not_finite", metric.key, f"{metric.key} must be a number within ±{MAX_ABS_NUMBER:g}")
    if metric.minimum is not None and value < metric.minimum:
        return _fault("below_minimum", metric.key, f"{metric.key} is {value:g}, at least {metric.minimum:g}")
    if metric.maximum is not None and value > metric.maximum:
        return _fault("above_maximum", metric.key, f"{metric.key} is {value:g}, at most {metric.maximum:g}")
    return None


def _text_fault(value: str, metric: MetricEntry) -> Fault | None:
    if len(value) > MAX_TEXT_CHARS:
        return _fault(
            "too_long", metric.key, f"{metric.key} has {len(value)} characters, at most {MAX_TEXT_CHARS}"
        )
    if "\0" in value:
        return _fault("wrong_kind", metric.key, f"{metric.key} holds a NUL character")
    return None


def _fault(reason: str, key: str, detail: str) -> Fault:
    return Fault(reason, detail, key)


def _shown(value: object) -> str:
    """A value for a sentence; what is nested is only named, since its text may be as deep as it is."""
    if isinstance(value, dict | list):
        return telemetry.name_of(value)
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
