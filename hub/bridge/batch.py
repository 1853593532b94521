"""What one step of the worker deals with: messages judged, transitions, changes of the registry."""

import itertools
from dataclasses import dataclass, field
from typing import Final

from hub.bridge import intake
from hub.bridge.clocks import Clocks, Skew
from hub.bridge.inbox import Message
from hub.bridge.intake import Accepted, Refusal
from hub.bridge.learning import Lesson
from hub.bridge.ledger import Tally, Track
from hub.bridge.presence import OFFLINE, ONLINE, Change, Presence
from hub.bridge.ratelimit import RateLimit
from hub.bridge.registry import Changes, DeviceEntry, Registry
from hub.protocol.telemetry import Fault
from hub.protocol.topics import DROPPED_BY_BROKER, DeviceTopic

_COUNTER_DIGITS: Final = 18
"""What a column of the database holds for certain."""


@dataclass(slots=True)
class Judged:
    """The outcome of a batch before anything is stored."""

    accepted: list[Accepted] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    skews: list[Skew] = field(default_factory=list)
    registry: Changes | None = None

    @property
    def num_readings(self) -> int:
        """How much there is to store and to write down: accepted readings and refusals."""
        return len(self.accepted) + len(self.refusals)

    def __bool__(self) -> bool:
        return bool(self.accepted or self.refusals or self.changes or self.skews or self.registry)


class Judge:
    """Judges messages against registry, tracks, presence, limits and clocks; nothing here waits.

    `dropped_by_broker`: what the broker last said that it dropped, of any client's, since it started.
    """

    def __init__(
        self,
        registry: Registry,
        presence: Presence,
        tracks: dict[int, Track],
        limit: RateLimit,
        clocks: Clocks,
    ) -> None:
        self._registry = registry
        self._presence = presence
        self._tracks = tracks
        self._limit = limit
        self._clocks = clocks
        self.dropped_by_broker: int | None = None

    def message(
        self,
        message: Message,
        topic: DeviceTopic | None,
        tally: Tally,
        judged: Judged,
        *,
        learns: bool = True,
    ) -> Lesson | None:
        """Judge one message and add what becomes of it to `tally` and `judged`.

        A lesson instead, if its type has to learn first: then it is judged again, with `learns` false.
        """
        if topic is None:
            if message.topic == DROPPED_BY_BROKER:
                self._hear_broker(message.payload)
            else:
                self._take(intake.refuse_topic(message), tally, judged)
        elif topic.kind == "telemetry":
            return self._telemetry(message, topic, tally, judged, learns=learns)
        elif topic.kind == "status":
            self._status(message, topic, judged)
        return None

    def replayed(
        self, message: Message, topic: DeviceTopic, tally: Tally, judged: Judged, *, learns: bool = True
    ) -> Lesson | None:
        """Judge a payload that is taken once more. It says nothing of presence, rate or clock.

        A reading without a time gets that of the first arrival, so that a repeat is a duplicate.
        """
        times = itertools.count(message.arrived_ms)
        verdict = intake.judge(message, topic, self._registry, lambda *_: next(times), learns=learns)
        if verdict.lesson is None:
            self._take(verdict, tally, judged)
        return verdict.lesson

    def _telemetry(
        self, message: Message, topic: DeviceTopic, tally: Tally, judged: Judged, *, learns: bool
    ) -> Lesson | None:
        if message.retained:
            fault = Fault("retained", "telemetry must be published without the retain flag")
            device = self._registry.devices.get(topic.device_id)
            self._take(intake.refuse(topic, device, message, fault), tally, judged)
            return None
        # What is judged again after a lesson has had its token.
        admit = self._limit.admits if learns else intake.admit_all
        verdict = intake.judge(message, topic, self._registry, self._give_time, admit, learns=learns)
        if verdict.lesson is not None:
            return verdict.lesson
        self._take(verdict, tally, judged)
        if verdict.accepted:
            self._heard(verdict.accepted, message, judged)
        return None

    def _heard(self, readings: list[Accepted], message: Message, judged: Judged) -> None:
        """What live readings say besides their values: the device is there, and what its clock shows."""
        newest = readings[-1]
        change = self._presence.reading(newest.device, message.arrived_ms, message.connection)
        if change is not None:
            judged.changes.append(change)
        # An array holds what was kept, and so may a backlog; a time of arrival tells of no clock.
        key = newest.device.key
        if len(readings) > 1 or message.dup or self._limit.catching_up:
            return
        if newest.ts_ms != self._tracks[key].given_ms:
            skew = self._clocks.reading(key, newest.ts_ms, message.arrived_ms)
            if skew is not None:
                judged.skews.append(skew)

    def _hear_broker(self, payload: bytes) -> None:
        if payload.isdigit() and len(payload) <= _COUNTER_DIGITS:
            self.dropped_by_broker = int(payload)

    def _take(self, verdict: intake.Verdict, tally: Tally, judged: Judged) -> None:
        for reading in verdict.accepted:
            tally.accepted(reading)
        for refusal in verdict.refusals:
            tally.refused(refusal)
        judged.accepted.extend(verdict.accepted)
        judged.refusals.extend(verdict.refusals)

    def _status(self, message: Message, topic: DeviceTopic, judged: Judged) -> None:
        """Statuses are refused with a reason like telemetry, but not counted in the ledger.

        An empty one says nothing: so is a retained status taken back.
        """
        if not message.payload:
            return
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
