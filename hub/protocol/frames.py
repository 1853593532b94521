"""Frames: readings and changes as the text that browsers get (design 4.4).

The bridge encodes a body once; a relay adds its cursor once; a socket adds type, stream and number.
This is the only place that splices text, so the order of members is decided here:

    {"type":"readings","stream":"s1","frame":7,  "cursor":"…",  "metrics":[…],"rows":[…],  "merged":0}
    `- head(), per socket --------------------'  `- relay ---'  `- body, from the bridge '  `- tail() -'

`n` counts entries per (device type, source): rows, changes, changed plus removed devices, or 1 for
a changed device type. A frame holds the entries `first..last`, both included.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from hub.limits.live import FRAME_MAX_BYTES, FRAME_MAX_ROWS
from hub.protocol.telemetry import Value
from hub.protocol.topics import TYPE_SLUG_PATTERN

FrameKind = Literal["readings", "states", "devices", "device_type"]

HUB_GROUP: Final = "hub"
"""Bridges report themselves to this group; one channel a web process listens."""

FRAME_EVENT: Final = "hub.frame"
BRIDGE_EVENT: Final = "hub.bridge"

_encode: Final = msgspec.json.encode
_ROWS: Final = '],"rows":['
# It comes back from a client: whatever matches fits into a store's columns.
_CURSOR: Final = re.compile(rf"{TYPE_SLUG_PATTERN}~[0-9]{{1,16}}(?:~[A-Za-z0-9_.-]{{1,100}}:[0-9]{{1,16}})*")


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Entries `first..last` of one source and device type, encoded. `at_ms`: when it was made."""

    device_type: str
    source: str
    first: int
    last: int
    kind: FrameKind
    at_ms: int
    body: str


class Row(msgspec.Struct, frozen=True, gc=False):
    """One accepted reading, on its way to browsers: times in Unix milliseconds."""

    device_id: str
    ts_ms: int
    received_ms: int
    seq: int | None
    values: Mapping[str, Value]


def group_name(device_type: str) -> str:
    """The channel-layer group of a device type."""
    return f"type.{device_type}"


def source_name(slot: str, started_ms: int) -> str:
    """The name under which one run of a bridge numbers its entries."""
    return f"{slot}-{started_ms}"


# --- bodies, encoded by the bridge -------------------------------------------------------


def readings_bodies(metrics: Sequence[str], rows: Iterable[Row]) -> Iterator[tuple[int, str]]:
    """Encode rows into bodies of bounded size; yields (number of rows, body) in order.

    `metrics` gives the order of columns; a column that none of up to 500 rows fills is left out.
    """
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == FRAME_MAX_ROWS:
            yield from _sized_bodies(metrics, chunk)
            chunk = []
    if chunk:
        yield from _sized_bodies(metrics, chunk)


def _sized_bodies(metrics: Sequence[str], rows: list[Row]) -> Iterator[tuple[int, str]]:
    used = {key for row in rows for key in row.values}
    columns = [key for key in metrics if key in used]
    head = f'"metrics":{_encode(columns).decode()},"rows":['
    texts = (
        _encode((row.device_id, row.ts_ms, row.received_ms, row.seq, [*map(row.values.get, columns)]))
        for row in rows
    )
    for part in _parts(texts, len(head) + 1):
        yield len(part), f"{head}{b','.join(part).decode()}]"


def _parts(texts: Iterable[bytes], overhead_bytes: int) -> Iterator[list[bytes]]:
    """Encoded entries in parts that fit into a frame; an entry larger than a frame is a part alone."""
    part: list[bytes] = []
    size = overhead_bytes
    for text in texts:
        if part and (size + len(text) > FRAME_MAX_BYTES or len(part) == FRAME_MAX_ROWS):
            yield part
            part, size = [], overhead_bytes
        part.append(text)
        size += len(text) + 1
    if part:
        yield part


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """A device's presence changed: the state it has since `since_ms`, and a code for why."""

    device_id: str
    state: str
    since_ms: int
    because: str


def states_bodies(changes: Sequence[StateChange]) -> Iterator[tuple[int, str]]:
    """Encode presence changes; yields (number of changes, body)."""
    texts = (_encode((c.device_id, c.state, c.since_ms, c.because)) for c in changes)
    for part in _parts(texts, len('"changes":[]')):
        yield len(part), f'"changes":[{b",".join(part).decode()}]'


def devices_bodies(
    changed: Sequence[Mapping[str, object]], removed: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Encode changed and removed devices; yields (number of both, body)."""
    overhead_bytes = len('"changed":[],"removed":[]')
    for part in _parts(map(_encode, changed), overhead_bytes):
        yield len(part), f'"changed":[{b",".join(part).decode()}],"removed":[]'
    for part in _parts(map(_encode, removed), overhead_bytes):
        yield len(part), f'"changed":[],"removed":[{b",".join(part).decode()}]'


def device_type_body(device_type: Mapping[str, object]) -> tuple[int, str]:
    """Encode a changed device type; returns (1, body)."""
    return 1, f'"device_type":{_encode(device_type).decode()}'


# --- texts, spliced by relay and socket --------------------------------------------------


def head(kind: FrameKind, stream_json: str, number: int) -> str:
    """The part that differs by socket. `stream_json`: the stream's name, already JSON encoded."""
    return f'{{"type":"{kind}","stream":{stream_json},"frame":{number},'


def with_cursor(cursor: str, body: str) -> str:
    """The part that is the same for every socket of a relay. A cursor needs no escaping."""
    return f'"cursor":"{cursor}",{body}'


def tail(kind: FrameKind, merged: int = 0) -> str:
    """The end of a frame's text; `merged` says how many values newer ones replaced."""
    return f',"merged":{merged}}}' if kind == "readings" else "}"


def columns_of(body: str) -> str:
    """The encoded list of metrics of a readings body; equal texts can be joined."""
    return body[: body.index(_ROWS)]


def join(bodies: Sequence[str]) -> str:
    """One readings body with the rows of several that have the same columns, none lost."""
    first = bodies[0]
    at = first.index(_ROWS) + len(_ROWS)
    return f"{first[:at]}{','.join(body[at:-1] for body in bodies)}]"


class ReadingsBody(msgspec.Struct, frozen=True):
    """A readings body taken apart again: rows are (id, ts_ms, received_ms, seq, cells)."""

    metrics: list[str]
    rows: list[tuple[str, int, int, int | None, list[Value | None]]]


def decode_readings(body: str) -> ReadingsBody:
    """Take a readings body apart, for filtering by device and for merging."""
    return msgspec.json.decode(f"{{{body}}}", type=ReadingsBody)


class StatesBody(msgspec.Struct, frozen=True):
    """A states body taken apart again: changes are (id, state, since_ms, because)."""

    changes: list[tuple[str, str, int, str]]


def decode_states(body: str) -> list[StateChange]:
    """Take a states body apart, for filtering by device and for merging."""
    changes = msgspec.json.decode(f"{{{body}}}", type=StatesBody).changes
    return [StateChange(*change) for change in changes]


class DevicesBody(msgspec.Struct, frozen=True):
    """A devices body taken apart again: changed devices as they were encoded, ids of removed ones."""

    changed: list[dict[str, Any]]
    removed: list[str]


def decode_devices(body: str) -> DevicesBody:
    """Take a devices body apart, for filtering by device and for merging."""
    return msgspec.json.decode(f"{{{body}}}", type=DevicesBody)


# --- layer events ----------------------------------------------------------------------


def frame_event(frame: Frame) -> dict[str, object]:
    """The channel-layer message that carries a frame."""
    return {
        "type": FRAME_EVENT,
        "device_type": frame.device_type,
        "source": frame.source,
        "first": frame.first,
        "last": frame.last,
        "kind": frame.kind,
        "at_ms": frame.at_ms,
        "body": frame.body,
    }


def frame_of_event(event: Mapping[str, object]) -> Frame:
    """The frame in a layer message; msgspec.ValidationError when it is not one."""
    fields = {key: value for key, value in event.items() if key != "type"}
    return msgspec.convert(fields, Frame)


# --- cursors ---------------------------------------------------------------------------


class Cursor(msgspec.Struct, frozen=True):
    """How far a stream got: per source the n up to which everything was sent on a socket.

    Opaque to clients, works on any web process. `made_ms` is the store's clock.
    """

    device_type: str
    made_ms: int
    positions: dict[str, int]

    def encode(self) -> str:
        """Text of `[a-z0-9A-Z_.:~-]` only, so it needs no escaping in JSON."""
        parts = [self.device_type, str(self.made_ms)]
        parts += [f"{source}:{n}" for source, n in self.positions.items()]
        return "~".join(parts)

    @staticmethod
    def decode(text: str) -> "Cursor | None":
        """The cursor in a text, None when it is unreadable."""
        if _CURSOR.fullmatch(text) is None:
            return None
        device_type, made_ms, *parts = text.split("~")
        positions = {source: int(n) for source, n in (part.split(":") for part in parts)}
        return Cursor(device_type, int(made_ms), positions)
