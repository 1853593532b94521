"""Frames and entries for tests, made as the bridge makes them."""

from collections.abc import Sequence

from dashboard.ring import Entry, Ring
from hub.protocol import frames
from hub.protocol.frames import Frame, Row, StateChange
from hub.protocol.telemetry import Value

TYPE = "thermostat"
SOURCE = "main-1"


def row(device_id: str, ts_ms: int, **values: Value) -> Row:
    return Row(device_id, ts_ms, ts_ms + 5, None, values)


def readings_frame(first: int, rows: Sequence[Row], source: str = SOURCE, device_type: str = TYPE) -> Frame:
    metrics = list(dict.fromkeys(key for each in rows for key in each.values))
    [(count, body)] = frames.readings_bodies(metrics, rows)
    return Frame(device_type, source, first, first + count - 1, "readings", rows[-1].ts_ms, body)


def states_frame(first: int, *changes: StateChange, source: str = SOURCE) -> Frame:
    [(count, body)] = frames.states_bodies(changes)
    return Frame(TYPE, source, first, first + count - 1, "states", changes[-1].since_ms, body)


def numbered(count: int, source: str = SOURCE, first: int = 1, device_type: str = TYPE) -> list[Frame]:
    """Frames of one row each: n = first, first + 1, …; the row's ts is its n."""
    return [
        readings_frame(n, [row("t-1", n, t=float(n))], source, device_type)
        for n in range(first, first + count)
    ]


def add(ring: Ring, frame: Frame, now_s: float) -> None:
    """Append a frame as a relay does, with a cursor that says how far it leads."""
    cursor = frames.Cursor(TYPE, frame.at_ms, {frame.source: frame.last}).encode()
    ring.append(Entry(frame, cursor, now_s))
