"""One telemetry message judged against the registry. Pure: plain values and an explicit `now`.

Nothing raises past this step: what is bad becomes a refusal with a documented reason.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from hub.bridge.inbox import Message
from hub.bridge.learning import Lesson, new_metrics
from hub.bridge.registry import DeviceEntry, Registry, TypeEntry
from hub.bridge.values import LEARN, judge_values
from hub.history.store import UNKNOWN_DEVICE
from hub.limits.bridge import RATE_LIMIT_DEPTH, RATE_LIMIT_PER_S
from hub.limits.telemetry import FUTURE_TOLERANCE_MS
from hub.protocol import telemetry
from hub.protocol.telemetry import Fault, Value
from hub.protocol.topics import DeviceTopic

_TOO_MANY: Final = (
    f"more than {RATE_LIMIT_PER_S} messages a second, after {RATE_LIMIT_DEPTH} at once; "
    "send several readings in one message, or fewer"
)

GiveTime = Callable[[int, int], int]
"""(device key, arrival in ms) -> a time of arrival that the device was not given before."""

Admit = Callable[[int, Message], bool]
"""(device key, message) -> whether it is taken now, or comes too soon after the others."""


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
    """What became of one message. With a `lesson` it was not judged: its type has to learn first."""

    accepted: list[Accepted]
    refusals: list[Refusal]
    lesson: Lesson | None = None


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


def admit_all(_device: int, _message: Message) -> bool:
    """No limit."""
    return True


def judge(
    message: Message,
    topic: DeviceTopic,
    registry: Registry,
    give_time: GiveTime,
    admit: Admit = admit_all,
    *,
    learns: bool = False,
) -> Verdict:
    """Judge one telemetry message of a parsed topic.

    `learns`: where its type learns and something is new in it, the verdict is only the lesson.
    """
    device = registry.devices.get(topic.device_id)
    fault = sender_fault(topic, registry)
    if fault is not None or device is None:
        return refuse(topic, device, message, fault or Fault("unknown_device", "no such device"))
    if not admit(device.key, message):
        # Before decoding, so that a flood costs little.
        return refuse(topic, device, message, Fault("rate_limited", _TOO_MANY))
    decoded = telemetry.decode(message.payload)
    if isinstance(decoded, Fault):
        return refuse(topic, device, message, decoded)
    kind = registry.types[device.type_slug]
    if learns and kind.unknown_metrics == LEARN:
        kinds = new_metrics(_timely(decoded, message, kind), kind)
        if kinds:
            return Verdict([], [], Lesson(kind.slug, kinds))
    verdict = Verdict([], [])
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
        fault = msgspec.structs.replace(fault, seq=element.seq)
        verdict.refusals.append(_refusal(device, fault, message, whole=True))
        return
    values, faults = judge_values(element.values, kind)
    if not values:
        fault = faults[0] if faults else Fault("no_values", "the reading has no value")
        fault = msgspec.structs.replace(fault, seq=element.seq, ts_ms=element.ts_ms)
        verdict.refusals.append(_refusal(device, fault, message, whole=True))
        return
    for fault in faults:
        verdict.refusals.append(_refusal(device, fault, message, whole=False))
    ts_ms = element.ts_ms if element.ts_ms is not None else give_time(device.key, arrived_ms)
    verdict.accepted.append(Accepted(device, ts_ms, arrived_ms, element.seq, values, message))


def _refusal(device: DeviceEntry, fault: Fault, message: Message, *, whole: bool) -> Refusal:
    return Refusal(device.key, device.uid, device.type_slug, fault, message, whole)


def _timely(
    decoded: list[telemetry.Reading | Fault], message: Message, kind: TypeEntry
) -> Iterator[telemetry.Reading]:
    """The readings that are not refused for their time."""
    for element in decoded:
        if isinstance(element, telemetry.Reading) and (
            element.ts_ms is None or _time_fault(element.ts_ms, message.arrived_ms, kind) is None
        ):
            yield element


def _time_fault(ts_ms: int, arrived_ms: int, kind: TypeEntry) -> Fault | None:
    if ts_ms > arrived_ms + FUTURE_TOLERANCE_MS:
        ahead_s = (ts_ms - arrived_ms) / 1000
        return Fault("timestamp_in_future", f"`ts` is {ahead_s:.0f} s ahead of the hub; look at the clock")
    if ts_ms < arrived_ms - kind.retention_ms:
        days = kind.retention_ms / 86_400_000
        return Fault("timestamp_too_old", f"`ts` is older than the {days:.0f} days that the type keeps")
    return None
