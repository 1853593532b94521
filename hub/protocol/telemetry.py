"""Telemetry payloads: bytes in, readings or faults out. Pure, and it never raises (design 4.2).

What needs the registry (known metric, right kind, limits, age) is judged in `hub.bridge.intake`;
here is only what the payload itself says.
"""

import datetime as dt
from typing import Final

import msgspec

from hub.limits.telemetry import MAX_PAYLOAD_BYTES, MAX_READINGS_PER_MESSAGE, MAX_SEQ, SECONDS_BELOW

Value = float | int | bool | str
"""What one metric of one reading can be once it was accepted."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One element of a payload as the device sent it; values are not judged yet.

    `ts_ms`: Unix milliseconds UTC, None when the device gave no time. `values`: JSON values by key.
    """

    ts_ms: int | None
    seq: int | None
    values: dict[str, object]


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why something was refused: a documented reason code and a sentence for its owner.

    `metric` names the value that was refused; None when it is the reading or the message. `seq` and
    `ts_ms`: the device's own count of a reading that was refused, which so did not get lost, and its
    time, as far as they can be read and believed.
    """

    reason: str
    detail: str
    metric: str | None = None
    seq: int | None = None
    ts_ms: int | None = None


_decode_json: Final = msgspec.json.Decoder().decode
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


def decode(payload: bytes) -> list[Reading | Fault] | Fault:
    """Take a payload apart: one entry an array element, or one Fault for the whole message."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        return Fault("too_large", f"{len(payload)} bytes; a payload may have {MAX_PAYLOAD_BYTES}")
    try:
        document = _decode_json(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        return Fault("not_json", f"the payload is not JSON: {error}")
    if isinstance(document, dict):
        return [_reading(document)]
    if not isinstance(document, list):
        return Fault("bad_shape", f"expected an object or an array of objects, got {name_of(document)}")
    if not document:
        return Fault("bad_shape", "an empty array holds no reading")
    if len(document) > MAX_READINGS_PER_MESSAGE:
        return Fault(
            "too_many_readings", f"{len(document)} readings; a message may have {MAX_READINGS_PER_MESSAGE}"
        )
    return [_reading(element) for element in document]


def _reading(element: object) -> Reading | Fault:
    if not isinstance(element, dict):
        return Fault("bad_shape", f"expected an object, got {name_of(element)}")
    values = element.get("values")
    if not isinstance(values, dict):
        values = {key: value for key, value in element.items() if key not in ("ts", "seq")}
    seq = element.get("seq")
    if seq is not None and not (type(seq) is int and 0 <= seq <= MAX_SEQ):
        return Fault("bad_shape", f"`seq` must be an integer from 0 to {MAX_SEQ}")
    given = element.get("ts")
    if given is None:
        return Reading(None, seq, values)
    ts_ms = parse_ts(given)
    if ts_ms is None:
        return Fault(
            "bad_timestamp",
            "`ts` must be Unix seconds, Unix milliseconds or ISO 8601 with an offset, after 1970",
            seq=seq,
        )
    return Reading(ts_ms, seq, values)


def parse_ts(given: object) -> int | None:
    """Unix milliseconds of a `ts` as the contract allows it, None when it is not one."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float):
        # A comparison also refuses NaN, and integers too large to become a float.
        if not 0 < given <= MAX_SEQ:
            return None
        return round(given * 1000 if given < SECONDS_BELOW else given) or None
    if isinstance(given, str):
        return _parse_iso(given)
    return None


def _parse_iso(text: str) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        ts_ms = (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    return ts_ms if ts_ms > 0 else None


def name_of(value: object) -> str:
    """What a JSON value is, for a sentence: an object, an array, null …"""
    if value is None:
        return "null"
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")
