"""What clients may say on `/ws/live/`, and what the hub answers (design 4.4). Pure.

What is not understood becomes a `Refusal`, which is sent as an `error`; the socket stays open.
"""

import enum
from typing import Annotated, Final, Literal

import msgspec

from hub.limits.live import (
    CLIENT_MESSAGE_MAX_BYTES,
    MAX_DEVICES_PER_SUBSCRIPTION,
    MAX_STREAM_NAME_CHARS,
    MAX_UNACKED_FRAMES,
)
from hub.limits.telemetry import MAX_SEQ

VERSION: Final = 1


class Close(enum.IntEnum):
    """Close codes of ours. 4012 is "come back": autobahn refuses 1012."""

    SIGN_IN = 4001
    NOT_ALLOWED = 4003
    NOT_ACKNOWLEDGING = 4008
    TOO_MANY_MESSAGES = 4029
    COME_BACK = 4012


class ErrorCode(enum.StrEnum):
    NOT_JSON = "not_json"
    BAD_MESSAGE = "bad_message"
    UNKNOWN_TYPE = "unknown_type"
    NOT_SIGNED_IN = "not_signed_in"
    BAD_STREAM = "bad_stream"
    NOT_SUBSCRIBED = "not_subscribed"
    TOO_MANY_STREAMS = "too_many_streams"
    UNKNOWN_DEVICE_TYPE = "unknown_device_type"
    NOT_ALLOWED = "not_allowed"
    BAD_ACK = "bad_ack"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """A message that cannot be followed, with the code and the sentence that the client gets."""

    def __init__(self, code: ErrorCode, detail: str, stream: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.stream = stream


# --- from clients ----------------------------------------------------------------------

Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]


class Authenticate(msgspec.Struct, frozen=True, tag="authenticate"):
    token: str


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """A device type (all devices or some), or the summary of all visible types."""

    stream: str
    device_type: str | None = None
    devices: list[str] | None = None
    resume: str | None = None
    max_hz: Annotated[float, msgspec.Meta(ge=0.1, le=1_000)] | None = None
    summary: bool = False


class Unsubscribe(msgspec.Struct, frozen=True, tag="unsubscribe"):
    stream: str


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    stream: str
    frame: Counter
    drawn_ms: float | None = None


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    at_ms: float


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ack | Ping


class _AnyType(msgspec.Struct):
    type: str


_decoder: Final = msgspec.json.Decoder(ClientMessage)
_type_decoder: Final = msgspec.json.Decoder(_AnyType)
_KNOWN_TYPES: Final = ("authenticate", "subscribe", "unsubscribe", "ack", "ping")


def parse(text: str | None) -> ClientMessage:
    """The message in a text frame, None for a binary one. Refusal says what is wrong with it."""
    if text is None:
        raise Refusal(ErrorCode.BAD_MESSAGE, "Messages are text frames, not binary ones.")
    if len(text) > CLIENT_MESSAGE_MAX_BYTES:
        raise Refusal(
            ErrorCode.BAD_MESSAGE, f"A message has at most {CLIENT_MESSAGE_MAX_BYTES} bytes, not {len(text)}."
        )
    try:
        message: ClientMessage = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise _refusal_of(text, error) from None
    if isinstance(message, Subscribe):
        _check(message)
    return message


def _refusal_of(text: str, error: Exception) -> Refusal:
    try:
        # The first complaint may have come before the end of the text was seen.
        msgspec.json.decode(text)
        named = _type_decoder.decode(text).type
    except msgspec.ValidationError:
        return Refusal(ErrorCode.BAD_MESSAGE, f'A message is an object with a text "type": {error}.')
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Refusal(ErrorCode.NOT_JSON, "A message is one JSON object; this was not JSON.")
    if named not in _KNOWN_TYPES:
        return Refusal(
            ErrorCode.UNKNOWN_TYPE, f"No message has the type {named[:40]!r}; {', '.join(_KNOWN_TYPES)} do."
        )
    return Refusal(ErrorCode.BAD_MESSAGE, f"This is no good {named!r} message: {error}.")


def _check(message: Subscribe) -> None:
    if not 0 < len(message.stream) <= MAX_STREAM_NAME_CHARS:
        detail = f"A stream's name has 1 to {MAX_STREAM_NAME_CHARS} characters, not {len(message.stream)}."
        raise Refusal(ErrorCode.BAD_STREAM, detail)
    if message.summary == (message.device_type is not None):
        detail = 'A subscription names either a "device_type" or "summary": true.'
        raise Refusal(ErrorCode.BAD_MESSAGE, detail, message.stream)
    if message.devices is not None and len(message.devices) > MAX_DEVICES_PER_SUBSCRIPTION:
        most = MAX_DEVICES_PER_SUBSCRIPTION
        detail = f"A subscription names at most {most} devices; leave them out for all."
        raise Refusal(ErrorCode.BAD_MESSAGE, detail, message.stream)


# --- from the hub ----------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    server_time_ms: int
    resume_horizon_s: int
    version: int = VERSION
    max_unacked: int = MAX_UNACKED_FRAMES


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    at_ms: float
    server_time_ms: int


class Error(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    code: str
    detail: str
    stream: str | None = None


class Reset(msgspec.Struct, frozen=True, tag="reset"):
    """A cursor could not be followed; a snapshot comes next. `missed`: entries, None when unknown."""

    stream: str
    reason: str
    missed: int | None


class Resumed(msgspec.Struct, frozen=True, tag="resumed"):
    """Everything since the cursor was sent: `recovered` rows; `lost` entries were gone from the log."""

    stream: str
    recovered: int
    lost: int


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """One part of how things are. `devices`: encoded by the reader of the snapshot."""

    stream: str
    part: int
    parts: int
    cursor: str
    device_type: msgspec.Raw
    devices: list[msgspec.Raw]


class BridgeHealth(msgspec.Struct, frozen=True):
    """What the bridge of a slot last said of itself; times in Unix ms."""

    slot: str
    source: str
    heard_ms: int
    receiving: bool
    receiving_since_ms: int
    storing: bool
    storing_since_ms: int
    lag_ms: int


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    server_time_ms: int
    layer: Literal["up", "down"]
    bridges: list[BridgeHealth]
    cursors: dict[str, str]


class TypeCounts(msgspec.Struct, frozen=True):
    """How many devices of a type are in which state, and what they send."""

    online: int = 0
    silent: int = 0
    offline: int = 0
    never: int = 0
    readings_per_s: float = 0.0


class TypeSummary(TypeCounts, frozen=True, kw_only=True):
    slug: str


class Summary(msgspec.Struct, frozen=True, tag="summary"):
    stream: str
    types: list[TypeSummary]


ServerMessage = Welcome | Pong | Error | Reset | Resumed | Snapshot | Heartbeat | Summary


def encode(message: ServerMessage) -> str:
    """The text of a message of the hub that is no frame."""
    return msgspec.json.encode(message).decode()
