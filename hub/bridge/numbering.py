"""Entries numbered and encoded into frames. `n` counts per device type, and moves only on commit."""

from collections.abc import Iterable, Mapping, Sequence

from hub.bridge.intake import Accepted
from hub.bridge.presence import Change
from hub.bridge.registry import Changes, Registry
from hub.protocol import frames
from hub.protocol.frames import Frame, FrameKind, Row, StateChange


class Numbering:
    """The newest n of every type of one source; `draft()` numbers on from there."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._last: dict[str, int] = {}

    def draft(self, at_ms: int) -> "Draft":
        return Draft(self.source, at_ms, dict(self._last))

    def commit(self, frames_made: Iterable[Frame]) -> None:
        """These frames are stored: their numbers are taken."""
        for frame in frames_made:
            self._last[frame.device_type] = frame.last


class Draft:
    """Frames of one batch, numbered as if it were stored."""

    def __init__(self, source: str, at_ms: int, last: dict[str, int]) -> None:
        self._source = source
        self._at_ms = at_ms
        self._last = last
        self.frames: list[Frame] = []

    def readings(self, accepted: Iterable[Accepted], registry: Registry) -> None:
        by_type: dict[str, list[Row]] = {}
        for reading in accepted:
            row = Row(reading.device.uid, reading.ts_ms, reading.received_ms, reading.seq, reading.values)
            by_type.setdefault(reading.device.type_slug, []).append(row)
        for slug, rows in by_type.items():
            kind = registry.types.get(slug)
            columns = list(kind.metrics) if kind else sorted({key for row in rows for key in row.values})
            self._add(slug, "readings", frames.readings_bodies(columns, rows))

    def states(self, changes: Iterable[Change]) -> None:
        by_type: dict[str, list[StateChange]] = {}
        for change in changes:
            entry = StateChange(change.device.uid, change.state, change.since_ms, change.because)
            by_type.setdefault(change.device.type_slug, []).append(entry)
        for slug, entries in by_type.items():
            self._add(slug, "states", frames.states_bodies(entries))

    def registry(self, changes: Changes) -> None:
        """Changed types, and changed and removed devices by type."""
        for slug, shape in changes.type_shapes.items():
            self._add(slug, "device_type", [frames.device_type_body(shape)])
        changed: dict[str, list[Mapping[str, object]]] = {}
        removed: dict[str, list[str]] = {}
        for entry in changes.devices:
            changed.setdefault(entry.type_slug, []).append(changes.device_shapes[entry.uid])
        alive = {(entry.type_slug, entry.uid) for entry in changes.devices}
        for entry in changes.removed:
            if (entry.type_slug, entry.uid) not in alive:
                removed.setdefault(entry.type_slug, []).append(entry.uid)
        for slug in sorted(changed.keys() | removed.keys()):
            bodies = frames.devices_bodies(changed.get(slug, []), removed.get(slug, []))
            self._add(slug, "devices", bodies)

    def _add(
        self, slug: str, kind: FrameKind, bodies: Iterable[tuple[int, str]] | Sequence[tuple[int, str]]
    ) -> None:
        for num_entries, body in bodies:
            first = self._last.get(slug, 0) + 1
            last = self._last[slug] = first + num_entries - 1
            self.frames.append(Frame(slug, self._source, first, last, kind, self._at_ms, body))
