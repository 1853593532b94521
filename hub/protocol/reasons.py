"""Why something is refused: every code, what it is said of, and the sentence that pages show.

The codes are part of the contract (design 4.2): they stay as they are.
"""

from typing import Final, Literal, NamedTuple

Scope = Literal["message", "reading", "value"]


class Reason(NamedTuple):
    """What a reason code means. `scopes`: what is refused with it."""

    scopes: tuple[Scope, ...]
    sentence: str


REASONS: Final[dict[str, Reason]] = {
    "bad_topic": Reason(("message",), "The topic is none that a device may use"),
    "unknown_device": Reason(("message",), "No device with this id is registered"),
    "wrong_device_type": Reason(("message",), "The device is registered with another type"),
    "device_disabled": Reason(("message",), "The device is disabled"),
    "rate_limited": Reason(("message",), "Too many messages in a short time"),
    "retained": Reason(("message",), "A retained message is no new reading"),
    "too_large": Reason(("message",), "The message is too large"),
    "not_json": Reason(("message",), "The message is not JSON"),
    "too_many_readings": Reason(("message",), "Too many readings in one message"),
    "bad_shape": Reason(("message", "reading"), "The message has another shape than a reading"),
    "bad_status": Reason(("message",), "The status is neither online nor offline"),
    "bad_timestamp": Reason(("reading",), "The time of the reading cannot be read"),
    "timestamp_in_future": Reason(("reading",), "The time of the reading lies in the future"),
    "timestamp_too_old": Reason(("reading",), "The reading is older than the type keeps"),
    "no_values": Reason(("reading",), "The reading holds no value"),
    "not_storable": Reason(("reading",), "The database refuses the reading"),
    "unknown_metric": Reason(("value",), "The type has no such metric"),
    "wrong_kind": Reason(("value",), "The value is of another kind than the metric"),
    "not_finite": Reason(("value",), "The value is not a finite number"),
    "too_long": Reason(("value",), "The text is too long"),
    "below_minimum": Reason(("value",), "The value is below the minimum of the metric"),
    "above_maximum": Reason(("value",), "The value is above the maximum of the metric"),
}

NEVER_REPLAYED: Final = frozenset({"bad_topic", "bad_status", "too_large"})
"""What cannot be taken once more: no device is named, it is no telemetry, or it was not kept whole."""
