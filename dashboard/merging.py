"""Entries that wait -> the messages that carry them: joined, chosen by device, or merged. Pure.

Joining and choosing lose no row. Merging keeps the newest value of each metric by measured time and
counts the values that newer ones replaced: values in = values out + merged.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from dashboard.ring import Entry, Part
from hub.limits.live import FRAME_MAX_BYTES, FRAME_MAX_ROWS
from hub.protocol import frames
from hub.protocol.frames import FrameKind, Row, StateChange
from hub.protocol.telemetry import Value

Body = tuple[FrameKind, str, int, int]
"""Kind, text, merged values, rows."""


def join_run(entries: Sequence[Entry], at: int) -> tuple[Part, int]:
    """One message of the entry at `at` and those after it that can be joined; and where it ends."""
    first = entries[at]
    if first.kind != "readings":
        return Part(first.kind, first.text, first.cursor), at + 1
    num_rows, size, end = first.num_entries, len(first.body), at + 1
    while end < len(entries):
        entry = entries[end]
        num_rows += entry.num_entries
        size += len(entry.body)
        if entry.kind != "readings" or num_rows > FRAME_MAX_ROWS or size > FRAME_MAX_BYTES:
            num_rows -= entry.num_entries
            break
        if entry.columns != first.columns:
            num_rows -= entry.num_entries
            break
        end += 1
    if end == at + 1:
        return Part("readings", first.text, first.cursor, num_rows=num_rows), end
    cursor = entries[end - 1].cursor
    body = frames.join([entry.body for entry in entries[at:end]])
    return Part("readings", frames.with_cursor(cursor, body), cursor, num_rows=num_rows), end


def select_run(
    entries: Sequence[Entry], at: int, wanted: AbstractSet[str], cursor: str
) -> tuple[list[Part], str, int]:
    """Messages with what concerns some devices; the cursor behind them; and where they end.

    It goes on over entries that hold nothing of them, and stops at a full message.
    """
    rows: list[Row] = []
    metrics: dict[str, None] = {}
    before, end = cursor, at
    while end < len(entries) and len(rows) < FRAME_MAX_ROWS:
        entry = entries[end]
        if entry.kind == "readings":
            if found := _rows_of(entry, wanted):
                rows += found
                metrics.update(dict.fromkeys(entry.metrics))
        elif found_bodies := list(_select_other(entry, wanted)):
            if not rows:
                return _parts(found_bodies, before, entry.cursor), entry.cursor, end + 1
            break
        end += 1
        cursor = entry.cursor
    bodies = [_readings(body, num) for num, body in frames.readings_bodies(list(metrics), rows)]
    return _parts(bodies, before, cursor), cursor, end


def merge_span(entries: Iterable[Entry], wanted: AbstractSet[str] | None, before: str) -> list[Part]:
    """Messages with the newest of everything in the entries; the last one bears their cursor.

    `before` is the cursor in front of them, which the other messages bear: a repeat is harmless.
    """
    merger = Merger(wanted)
    after = before
    for entry in entries:
        merger.add(entry)
        after = entry.cursor
    return merger.parts(before, after)


class Merger:
    """What is newest of each device in entries that were added, oldest first."""

    def __init__(self, wanted: AbstractSet[str] | None) -> None:
        self._wanted = wanted
        self._metrics: dict[str, None] = {}
        self._newest: dict[str, Row] = {}
        self._values: dict[str, dict[str, tuple[int, Value]]] = {}
        self._merged = 0
        self._states: dict[str, StateChange] = {}
        self._changed: dict[str, dict[str, object]] = {}
        self._removed: dict[str, None] = {}
        self._device_type: str | None = None

    def add_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        match entry.kind:
            case "readings":
                self._metrics.update(dict.fromkeys(entry.metrics))
                rows = entry.rows if self._wanted is None else _rows_of(entry, self._wanted)
                for row in rows:
                    self._add_row(row)
            case "states":
                for change in frames.decode_states(entry.body):
                    # Popped first, so that devices stand in the order of their newest change.
                    self._states.pop(change.device_id, None)
                    self._states[change.device_id] = change
            case "devices":
                self._add_devices(entry.body)
            case "device_type":
                self._device_type = entry.body

    def _add_row(self, row: Row) -> None:
        newest = self._newest.get(row.device_id)
        if newest is None or row.ts_ms >= newest.ts_ms:
            self._newest[row.device_id] = row
        values = self._values.setdefault(row.device_id, {})
        for key, value in row.values.items():
            known = values.get(key)
            if known is not None:
                self._merged += 1
            if known is None or row.ts_ms >= known[0]:
                values[key] = (row.ts_ms, value)

    def _add_devices(self, body: str) -> None:
        decoded = frames.decode_devices(body)
        for device in decoded.changed:
            self._changed[str(device["id"])] = device
            self._removed.pop(str(device["id"]), None)
        for device_id in decoded.removed:
            self._changed.pop(device_id, None)
            self._removed[device_id] = None

    def bodies(self) -> Iterator[Body]:
        """What was added, merged: the type first, then devices, states and readings."""
        wanted = self._wanted
        if self._device_type is not None:
            yield "device_type", self._device_type, 0, 0
        changed = [shape for key, shape in self._changed.items() if wanted is None or key in wanted]
        removed = [key for key in self._removed if wanted is None or key in wanted]
        for _, body in frames.devices_bodies(changed, removed):
            yield "devices", body, 0, 0
        changes = [change for key, change in self._states.items() if wanted is None or key in wanted]
        for _, body in frames.states_bodies(changes):
            yield "states", body, 0, 0
        merged = self._merged
        for num_rows, body in frames.readings_bodies(list(self._metrics), self._rows()):
            yield "readings", body, merged, num_rows
            merged = 0

    def parts(self, before: str, after: str) -> list[Part]:
        """The messages; only the last one leads to the cursor `after`."""
        return _parts(list(self.bodies()), before, after)

    def _rows(self) -> Iterator[Row]:
        for device_id, row in self._newest.items():
            values = {key: value for key, (_, value) in self._values[device_id].items()}
            yield msgspec.structs.replace(row, values=values)


def _rows_of(entry: Entry, wanted: AbstractSet[str]) -> list[Row]:
    found = entry.rows_by_device
    # Optimization: whichever is smaller is walked, so a page of one device costs one look-up.
    if len(wanted) <= len(found):
        return [row for device_id in wanted for row in found.get(device_id, ())]
    return [row for device_id, rows in found.items() if device_id in wanted for row in rows]


def _select_other(entry: Entry, wanted: AbstractSet[str]) -> Iterator[Body]:
    merger = Merger(wanted)
    merger.add(entry)
    return merger.bodies()


def _readings(body: str, num_rows: int) -> Body:
    return "readings", body, 0, num_rows


def _parts(bodies: Sequence[Body], before: str, after: str) -> list[Part]:
    """Messages of bodies; only the last one leads to `after`."""
    last = len(bodies) - 1
    parts = []
    for index, (kind, body, merged, num_rows) in enumerate(bodies):
        cursor = after if index == last else before
        parts.append(Part(kind, frames.with_cursor(cursor, body), cursor, merged, num_rows))
    return parts
