"""Who may use which topic. Pure; the embedded broker asks it, Mosquitto's ACL file says the same.

A device writes its own telemetry, status and replies and reads its own commands and rejections. The type
in the topic is not looked at: the bridge compares it with the registry and says `wrong_device_type`,
which its owner can read, where a broker can only drop.
"""

import re
from typing import Final, Literal

from hub.protocol import topics

Action = Literal["read", "write"]

BRIDGE_ACCOUNT: Final = re.compile(r"hub\.bridge(\.[a-z0-9-]{1,32})?")
"""`hub.bridge`, or `hub.bridge.<slot>`. No device id has a dot."""

BRIDGE_READS: Final = ("devices/#", topics.DROPPED_BY_BROKER)
BRIDGE_WRITES: Final = ("devices/+/+/commands/+", "devices/+/+/rejections", "hub/#")
DEVICE_READS: Final = ("devices/+/%u/commands/#", "devices/+/%u/rejections")
DEVICE_WRITES: Final = ("devices/+/%u/telemetry", "devices/+/%u/status", "devices/+/%u/replies/+")
"""As in Mosquitto's `pattern` lines: `%u` stands for the user name."""


_LEVELS: Final[dict[tuple[bool, Action], list[list[str]]]] = {
    (True, "read"): [pattern.split("/") for pattern in BRIDGE_READS],
    (True, "write"): [pattern.split("/") for pattern in BRIDGE_WRITES],
    (False, "read"): [pattern.split("/") for pattern in DEVICE_READS],
    (False, "write"): [pattern.split("/") for pattern in DEVICE_WRITES],
}


def is_bridge(username: str) -> bool:
    return BRIDGE_ACCOUNT.fullmatch(username) is not None


def may(username: str, action: Action, topic: str) -> bool:
    """Whether an account may write a topic, or read everything that a topic filter matches."""
    levels = topic.split("/")
    return any(_covers(pattern, levels, username) for pattern in _LEVELS[is_bridge(username), action])


def _covers(pattern: list[str], levels: list[str], username: str) -> bool:
    """Whether a pattern covers a topic, or all of what a topic filter can match."""
    for index, wanted in enumerate(pattern):
        if wanted == "#":
            return True
        if index >= len(levels):
            return False
        level = levels[index]
        if wanted == "+":
            if level == "#":
                return False
        elif level != (username if wanted == "%u" else wanted):
            return False
    return len(levels) == len(pattern)
