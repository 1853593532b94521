"""Small entries for the tests of the bridge: types, devices, messages."""

import asyncio
import json
import time
from collections.abc import Callable

from hub.bridge.batch import Judge, Judged
from hub.bridge.clocks import Clocks
from hub.bridge.inbox import Message
from hub.bridge.intake import Accepted, Refusal
from hub.bridge.learning import Lesson
from hub.bridge.ledger import Tally, Track
from hub.bridge.presence import Presence
from hub.bridge.ratelimit import RateLimit
from hub.bridge.registry import Changes, DeviceEntry, MetricEntry, Registry, TypeEntry
from hub.protocol import topics
from hub.protocol.telemetry import Fault, Value

NOW_MS = 1_763_796_000_000
DAY_MS = 24 * 3_600_000

THERMOSTAT = TypeEntry(
    slug="thermostat",
    metrics={
        "temperature": MetricEntry("temperature", "number", -40.0, 85.0),
        "energy": MetricEntry("energy", "number", None, None),
        "door": MetricEntry("door", "boolean", None, None),
        "mode": MetricEntry("mode", "text", None, None),
    },
    expected_interval_s=60.0,
    retention_ms=30 * DAY_MS,
    unknown_metrics="reject",
)
PUMP = TypeEntry("pump", {"flow": MetricEntry("flow", "number", None, None)}, None, DAY_MS, "ignore")

T1 = DeviceEntry(1, "t1", "thermostat", True)
T2 = DeviceEntry(2, "t2", "thermostat", True)
P1 = DeviceEntry(3, "p1", "pump", True)
OFF = DeviceEntry(4, "off", "thermostat", False)


def registry_of(*devices: DeviceEntry) -> Registry:
    registry = Registry()
    registry.apply(changes_of(*devices, version=1, types=[THERMOSTAT, PUMP]))
    return registry


def changes_of(
    *devices: DeviceEntry,
    version: int = 2,
    types: list[TypeEntry] | None = None,
    removed: list[DeviceEntry] | None = None,
) -> Changes:
    """Changes of the registry with shapes that only name what they are of."""
    return Changes(
        version=version,
        types=types or [],
        devices=list(devices),
        removed=removed or [],
        type_shapes={kind.slug: {"slug": kind.slug} for kind in types or []},  # type: ignore[typeddict-item]
        device_shapes={device.uid: {"id": device.uid} for device in devices},  # type: ignore[typeddict-item]
        type_slugs=[THERMOSTAT.slug, PUMP.slug],
    )


def message(
    payload: object = b"",
    topic: str | None = topics.telemetry("thermostat", "t1"),
    *,
    arrived_ms: int = NOW_MS,
    connection: int = 1,
    qos: int = 1,
    mid: int = 1,
    retained: bool = False,
    dup: bool = False,
) -> Message:
    """A message; a payload that is not bytes is sent as JSON."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(topic, data, qos, mid, retained, arrived_ms, connection, dup)


def accepted(
    values: dict[str, Value] | None = None,
    *,
    device: DeviceEntry = T1,
    ts_ms: int = NOW_MS,
    seq: int | None = None,
) -> Accepted:
    return Accepted(device, ts_ms, NOW_MS, seq, values or {"temperature": 21.5}, message())


def refusal(
    reason: str = "not_json", *, device: DeviceEntry = T1, whole: bool = True, seq: int | None = None
) -> Refusal:
    fault = Fault(reason, "a sentence", seq=seq)
    return Refusal(device.key, device.uid, device.type_slug, fault, message(), whole)


class Bench:
    """A judge with what it needs, and what became of the messages it was given."""

    def __init__(self, *devices: DeviceEntry) -> None:
        self.registry = registry_of(*(devices or (T1, T2, P1, OFF)))
        self.presence = Presence()
        self.tracks: dict[int, Track] = {entry.key: Track() for entry in self.registry.devices.values()}
        self.limit = RateLimit()
        self.clocks = Clocks()
        self.tally = Tally(self.tracks)
        self.judged = Judged()

    def judge_one(self, entry: Message, *, learns: bool = True) -> Lesson | None:
        judge = Judge(self.registry, self.presence, self.tracks, self.limit, self.clocks)
        topic = topics.parse(entry.topic) if entry.topic is not None else None
        return judge.message(entry, topic, self.tally, self.judged, learns=learns)

    def judge(self, *messages: Message) -> Judged:
        for entry in messages:
            assert self.judge_one(entry) is None
        return self.judged

    def reasons(self) -> list[tuple[str, str | None, bool]]:
        return [(r.fault.reason, r.fault.metric, r.whole) for r in self.judged.refusals]


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Let the loop turn until a condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.002)
