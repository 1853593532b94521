"""One telemetry message judged against the registry. Pure: plain values and an explicit `now`.

Nothing raises past this step: what is bad becomes a refusal with a documented reason.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from hub.bridge.inbox import Message
from hub.bridge.registry import DeviceEntry, MetricEntry, Registry, TypeEntry
from hub.history.store import UNKNOWN_DEVICE
from hub.limits.telemetry import FUTURE_TOLERANCE_MS, MAX_ABS_NUMBER, MAX_TEXT_CHARS
from hub.protocol import telemetry
from hub.protocol.telemetry import Fault, Value
from hub.protocol.topics import DeviceTopic

_SHOWN_CHARS: Final = 80

GiveTime = Callable[[int, int], int]
"""(device key, arrival in ms) -> a time of arrival that the device was not given before."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A reading with at least one good value."""

    device: DeviceEntry
    ts_ms: int
    received_ms: int
    seq: int | None
    values: dict[str, Value]
    message: Message


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A message, reading or value that was refused. `device` is UNKNOWN_DEVICE when there is none.

    `whole`: it counts as one received and one rejected; otherwise only a value of a stored reading.
    """

    device: int
    uid: str
    type_slug: str
    fault: Fault
    message: Message
    whole: bool


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What became of one message."""

    accepted: list[Accepted]
    refusals: list[Refusal]


def refuse_topic(message: Message) -> Verdict:
    """A message on a topic that no device may use."""
    shown = "not UTF-8" if message.topic is None else repr(message.topic[:200])
    fault = Fault("bad_topic", f"{shown}: expected devices/TYPE/DEVICE/telemetry, status or replies/ID")
    return Verdict([], [Refusal(UNKNOWN_DEVICE, "", "", fault, message, True)])


def refuse(topic: DeviceTopic, device: DeviceEntry | None, message: Message, fault: Fault) -> Verdict:
    """A message that is refused as a whole."""
    key = device.key if device else UNKNOWN_DEVICE
    return Verdict([], [Refusal(key, topic.device_id, topic.device_type, fault, message, True)])


def sender_fault(topic: DeviceTopic, registry: Registry) -> Fault | None:
    """Why nothing is taken from the sender of this topic, None when it is fine."""
    device = registry.devices.get(topic.device_id)
    if device is None:
        return Fault("unknown_device", f"no device {topic.device_id!r} is registered")
    if device.type_slug != topic.device_type or topic.device_type not in registry.types:
        expected = f"the device is a {device.type_slug!r}, its topic says {topic.device_type!r}"
        return Fault("wrong_device_type", expected)
    if not device.enabled:
        return Fault("device_disabled", "the device is disabled; enable it to take its readings again")
    return None


def judge(message: Message, topic: DeviceTopic, registry: Registry, give_time: GiveTime) -> Verdict:
    """Judge one telemetry message of a parsed topic."""
    device = registry.devices.get(topic.device_id)
    fault = sender_fault(topic, registry)
    if fault is not None or device is None:
        return refuse(topic, device, message, fault or Fault("unknown_device", "no such device"))
    decoded = telemetry.decode(message.payload)
    if isinstance(decoded, Fault):
        return refuse(topic, device, message, decoded)
    verdict = Verdict([], [])
    kind = registry.types[device.type_slug]
    for element in decoded:
        _judge_reading(element, device, kind, message, give_time, verdict)
    return verdict


def _judge_reading(
    element: telemetry.Reading | Fault,
    device: DeviceEntry,
    kind: TypeEntry,
    message: Message,
    give_time: GiveTime,
    verdict: Verdict,
) -> None:
    arrived_ms = message.arrived_ms
    if isinstance(element, Fault):
        verdict.refusals.append(_refusal(device, element, message, whole=True))
        return
    if element.ts_ms is not None and (fault := _time_fault(element.ts_ms, arrived_ms, kind)):
        verdict.refusals.append(_refusal(device, fault, message, whole=True))
        return
    values, faults = judge_values(element.values, kind)
    if not values:
        fault = faults[0] if faults else Fault("no_values", "the reading has no value")
        verdict.refusals.append(_refusal(device, fault, message, whole=True))
        return
    for fault in faults:
        verdict.refusals.append(_refusal(device, fault, message, whole=False))
    ts_ms = element.ts_ms if element.ts_ms is not None else give_time(device.key, arrived_ms)
    verdict.accepted.append(Accepted(device, ts_ms, arrived_ms, element.seq, values, message))


def _refusal(device: DeviceEntry, fault: Fault, message: Message, *, whole: bool) -> Refusal:
    return Refusal(device.key, device.uid, device.type_slug, fault, message, whole)


def _time_fault(ts_ms: int, arrived_ms: int, kind: TypeEntry) -> Fault | None:
    if ts_ms > arrived_ms + FUTURE_TOLERANCE_MS:
        ahead_s = (ts_ms - arrived_ms) / 1000
        return Fault("timestamp_in_future", f"`ts` is {ahead_s:.0f} s ahead of the hub; look at the clock")
    if ts_ms < arrived_ms - kind.retention_ms:
        days = kind.retention_ms / 86_400_000
        return Fault("timestamp_too_old", f"`ts` is older than the {days:.0f} days that the type keeps")
    return None


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
            if kind.unknown_metrics != "ignore":
                faults.append(
                    _fault("unknown_metric", key, f"the type {kind.slug!r} has no metric {_shown(key)}")
                )
            continue
        fault = _value_fault(value, metric)
        if fault is None:
            good[key] = value  # type: ignore[assignment]  # _value_fault has looked at its type
        else:
            faults.append(fault)
    return good, faults


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
