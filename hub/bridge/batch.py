"""What one step of the worker deals with: messages judged, transitions, changes of the registry."""

from dataclasses import dataclass, field

from hub.bridge import intake
from hub.bridge.inbox import Message
from hub.bridge.intake import Accepted, Refusal
from hub.bridge.ledger import Tally, Track
from hub.bridge.presence import OFFLINE, ONLINE, Change, Presence
from hub.bridge.registry import Changes, DeviceEntry, Registry
from hub.protocol.telemetry import Fault
from hub.protocol.topics import DeviceTopic


@dataclass(slots=True)
class Judged:
    """The outcome of a batch before anything is stored."""

    accepted: list[Accepted] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    registry: Changes | None = None

    @property
    def num_readings(self) -> int:
        """How much there is to store and to write down: accepted readings and refusals."""
        return len(self.accepted) + len(self.refusals)

    def __bool__(self) -> bool:
        return bool(self.accepted or self.refusals or self.changes or self.registry)


class Judge:
    """Judges messages against registry, tracks and presence; nothing here waits."""

    def __init__(self, registry: Registry, presence: Presence, tracks: dict[int, Track]) -> None:
        self._registry = registry
        self._presence = presence
        self._tracks = tracks

    def message(self, message: Message, topic: DeviceTopic | None, tally: Tally, judged: Judged) -> None:
        """Judge one message and add what becomes of it to `tally` and `judged`."""
        if topic is None:
            self._take(intake.refuse_topic(message), tally, judged)
        elif topic.kind == "telemetry":
            self._telemetry(message, topic, tally, judged)
        elif topic.kind == "status":
            self._status(message, topic, judged)

    def _telemetry(self, message: Message, topic: DeviceTopic, tally: Tally, judged: Judged) -> None:
        if message.retained:
            fault = Fault("retained", "telemetry must be published without the retain flag")
            device = self._registry.devices.get(topic.device_id)
            self._take(intake.refuse(topic, device, message, fault), tally, judged)
            return
        verdict = intake.judge(message, topic, self._registry, self._give_time)
        self._take(verdict, tally, judged)
        if verdict.accepted:
            device = verdict.accepted[-1].device
            change = self._presence.reading(device, message.arrived_ms, message.connection)
            if change is not None:
                judged.changes.append(change)

    def _take(self, verdict: intake.Verdict, tally: Tally, judged: Judged) -> None:
        for reading in verdict.accepted:
            tally.accepted(reading)
        for refusal in verdict.refusals:
            tally.refused(refusal)
        judged.accepted.extend(verdict.accepted)
        judged.refusals.extend(verdict.refusals)

    def _status(self, message: Message, topic: DeviceTopic, judged: Judged) -> None:
        """Statuses are refused with a reason like telemetry, but not counted in the ledger."""
        device = self._registry.devices.get(topic.device_id)
        word = message.payload.decode("ascii", "replace")
        fault = intake.sender_fault(topic, self._registry)
        if fault is None and word not in (ONLINE, OFFLINE):
            fault = Fault("bad_status", f"a status is the bare word online or offline, got {word[:40]!r}")
        if fault is not None or device is None:
            # The last will of a device that was just disabled or deleted is no news to its owner.
            if fault is not None and fault.reason not in ("device_disabled", "unknown_device"):
                judged.refusals.extend(intake.refuse(topic, device, message, fault).refusals)
            return
        change = self._presence_change(device, word, message)
        if change is not None:
            judged.changes.append(change)

    def _presence_change(self, device: DeviceEntry, word: str, message: Message) -> Change | None:
        arrived_ms, connection = message.arrived_ms, message.connection
        if message.retained:
            kind = self._registry.types[device.type_slug]
            return self._presence.retained_status(device, word, arrived_ms, connection, kind)
        return self._presence.status(device, word, arrived_ms, connection)

    def _give_time(self, key: int, arrived_ms: int) -> int:
        return self._tracks[key].give_time(arrived_ms)
