"""What arriving readings change: rows, latest values, counts. Pure; the rules of every store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hub.history.store import Latest, Outcome, Reading, StoreRefusedError
from hub.protocol.telemetry import Value

Key = tuple[int, int]
"""What makes a reading one reading: its device's key and `ts_ms`."""

_encode: Final = msgspec.json.encode
decode_values: Final = msgspec.json.Decoder(dict[str, Value]).decode


class Row(NamedTuple):
    """One reading as it is stored; `values` is compact JSON."""

    device: int
    ts_ms: int
    received_ms: int
    seq: int | None
    values: str


class Changes(NamedTuple):
    """What becomes of a batch: an outcome a reading, and the rows to insert and to replace."""

    outcomes: list[Outcome]
    new: dict[Key, Row]
    changed: dict[Key, Row]


class Newest(msgspec.Struct):
    """What is newest of a device; per metric (value, ts_ms, the time that ranks it)."""

    ts_ms: int
    received_ms: int
    seq: int | None
    values: dict[str, tuple[Value, int, int]]

    def as_latest(self) -> Latest:
        """The same without the times that rank."""
        values = {metric: (value, ts_ms) for metric, (value, ts_ms, _) in self.values.items()}
        return Latest(self.ts_ms, self.received_ms, self.seq, values)


def changes(readings: Iterable[Reading], present: Mapping[Key, Row]) -> Changes:
    """Apply readings one by one upon the rows that are present; StoreRefusedError for what has no JSON.

    A row keeps the time of its first arrival, and the first `seq` that came for it: so a repeat
    leaves no trace in it.
    """
    outcomes: list[Outcome] = []
    new: dict[Key, Row] = {}
    changed: dict[Key, Row] = {}
    for reading in readings:
        key = (reading.device, reading.ts_ms)
        text = _text(reading)
        row = new.get(key) or changed.get(key) or present.get(key)
        if row is None:
            new[key] = Row(reading.device, reading.ts_ms, reading.received_ms, reading.seq, text)
            outcomes.append(Outcome.STORED)
        elif row.values == text or (values := merged(decode_values(row.values), reading.values)) is None:
            outcomes.append(Outcome.DUPLICATE)
        else:
            seq = reading.seq if row.seq is None else row.seq
            row = row._replace(seq=seq, values=_encode(values).decode())
            (new if key in new else changed)[key] = row
            outcomes.append(Outcome.UPDATED)
    return Changes(outcomes, new, changed)


def merged(stored: Mapping[str, Value], arrived: Mapping[str, Value]) -> dict[str, Value] | None:
    """The stored values with what arrived laid over them; None when that changes nothing.

    21 and 21.0 are one number; 1 and true are not one value.
    """
    differing = {key: value for key, value in arrived.items() if not _same(stored.get(key), value)}
    return {**stored, **differing} if differing else None


def _same(stored: Value | None, arrived: Value) -> bool:
    return stored == arrived and isinstance(stored, bool) == isinstance(arrived, bool)


def _text(reading: Reading) -> str:
    try:
        text = _encode(reading.values).decode()
    except (ValueError, OverflowError, TypeError) as error:
        raise StoreRefusedError(f"A reading of device {reading.device} has no JSON: {error}.") from error
    # msgspec writes NaN and Infinity as null, which would lose the value in silence.
    if "null" in text and None in msgspec.json.decode(text).values():
        raise StoreRefusedError(
            f"A reading of device {reading.device} has a value that JSON has no number for; "
            "numbers must be finite."
        )
    return text


def renew(newest: Newest | None, reading: Reading) -> Newest:
    """Lay a reading over what is newest of its device; `newest` itself is changed.

    A value replaces another if its min(ts, received) is not smaller, so a device whose clock is
    ahead cannot hold its place for ever.
    """
    rank = min(reading.ts_ms, reading.received_ms)
    if newest is None:
        newest = Newest(reading.ts_ms, reading.received_ms, reading.seq, {})
    elif rank >= min(newest.ts_ms, newest.received_ms):
        newest.ts_ms, newest.received_ms, newest.seq = reading.ts_ms, reading.received_ms, reading.seq
    values = newest.values
    for metric, value in reading.values.items():
        held = values.get(metric)
        if held is None or rank >= held[2]:
            values[metric] = (value, reading.ts_ms, rank)
    return newest


def counts(readings: Sequence[Reading], outcomes: Sequence[Outcome]) -> dict[int, tuple[int, int, int]]:
    """How many readings were stored, updated and duplicate, by device."""
    by_device: dict[int, tuple[int, int, int]] = {}
    for reading, outcome in zip(readings, outcomes, strict=True):
        stored, updated, duplicate = by_device.get(reading.device, (0, 0, 0))
        if outcome is Outcome.STORED:
            by_device[reading.device] = (stored + 1, updated, duplicate)
        elif outcome is Outcome.UPDATED:
            by_device[reading.device] = (stored, updated + 1, duplicate)
        else:
            by_device[reading.device] = (stored, updated, duplicate + 1)
    return by_device
