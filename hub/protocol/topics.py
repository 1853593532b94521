"""MQTT topics: build and parse. The one place that knows their shape (design 4.2)."""

import re
from typing import Final, Literal, NamedTuple

from hub.limits.telemetry import (
    MAX_COMMAND_ID_CHARS,
    MAX_DEVICE_ID_CHARS,
    MAX_METRIC_KEY_CHARS,
    MAX_TYPE_SLUG_CHARS,
)

DEVICE_ID_PATTERN: Final = rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_DEVICE_ID_CHARS - 1}}}"
TYPE_SLUG_PATTERN: Final = rf"[a-z0-9][a-z0-9-]{{0,{MAX_TYPE_SLUG_CHARS - 1}}}"
METRIC_KEY_PATTERN: Final = rf"[A-Za-z][A-Za-z0-9_]{{0,{MAX_METRIC_KEY_CHARS - 1}}}"
RESERVED_METRIC_KEYS: Final = frozenset({"ts", "seq", "values"})

Kind = Literal["telemetry", "status", "replies"]

TELEMETRY_FILTER: Final = "devices/+/+/telemetry"
STATUS_FILTER: Final = "devices/+/+/status"
REPLIES_FILTER: Final = "devices/+/+/replies/+"
BRIDGE_FILTERS: Final = (TELEMETRY_FILTER, STATUS_FILTER, REPLIES_FILTER)
ALIVE: Final = "hub/alive"
DROPPED_BY_BROKER: Final = "$SYS/broker/publish/messages/dropped"

MAX_TOPIC_CHARS: Final = 8 + MAX_TYPE_SLUG_CHARS + 1 + MAX_DEVICE_ID_CHARS + 9 + MAX_COMMAND_ID_CHARS
"""No topic of ours is longer: `devices/`, a type, a device, `/replies/`, a command."""

_TOPIC = re.compile(
    rf"devices/(?P<type>{TYPE_SLUG_PATTERN})/(?P<device>{DEVICE_ID_PATTERN})"
    rf"/(?:(?P<kind>telemetry|status)|replies/(?P<command>[A-Za-z0-9_-]{{1,{MAX_COMMAND_ID_CHARS}}}))"
)


class DeviceTopic(NamedTuple):
    """What a device's topic says: its claimed type, its id, and what the message is."""

    device_type: str
    device_id: str
    kind: Kind
    command_id: str | None = None


def parse(topic: str) -> DeviceTopic | None:
    """Take a topic on which a device publishes apart; None when it is not one of ours."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return None
    device_type, device_id, kind, command_id = match.groups()
    if command_id is not None:
        return DeviceTopic(device_type, device_id, "replies", command_id)
    return DeviceTopic(device_type, device_id, "status" if kind == "status" else "telemetry")


def base(device_type: str, device_id: str) -> str:
    """The part that all topics of one device share."""
    return f"devices/{device_type}/{device_id}"


def telemetry(device_type: str, device_id: str) -> str:
    return f"{base(device_type, device_id)}/telemetry"


def status(device_type: str, device_id: str) -> str:
    return f"{base(device_type, device_id)}/status"


def command(device_type: str, device_id: str, command_id: str) -> str:
    return f"{base(device_type, device_id)}/commands/{command_id}"


def commands_filter(device_type: str, device_id: str) -> str:
    """What a device subscribes to for its commands."""
    return f"{base(device_type, device_id)}/commands/+"


def reply(device_type: str, device_id: str, command_id: str) -> str:
    return f"{base(device_type, device_id)}/replies/{command_id}"


def rejections(device_type: str, device_id: str) -> str:
    return f"{base(device_type, device_id)}/rejections"
