"""Mosquitto's files: passwords and access rules from the registry, and the settings of a child of ours.

A file is replaced at once and only when its text has changed, so whoever watches it sees real changes.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from devices.credentials import hash_token, matches
from hub.broker import rules
from hub.broker.accounts import Table
from hub.limits.bridge import BROKER_WINDOW_MESSAGES
from hub.limits.broker import (
    MOSQUITTO_QUEUE_MAX_BYTES,
    MOSQUITTO_QUEUE_MIN_BYTES,
    MOSQUITTO_QUEUE_PART_OF_MEMORY,
)
from hub.limits.telemetry import MAX_PACKET_BYTES

PASSWORDS: Final = "passwords"
ACL: Final = "acl"
CONFIG: Final = "mosquitto.conf"


class Files(NamedTuple):
    """The texts of the two files that follow the registry."""

    passwords: str
    acl: str


def accounts(table: Table, bridges: Mapping[str, str], old_passwords: str, now: float) -> Files:
    """The files for these devices and for bridges (user name -> password).

    A line of a bridge in `old_passwords` stays while it is right: a new salt would be a change.
    """
    old = users(old_passwords)
    lines = {name: _bridge_hash(password, old.get(name)) for name, password in sorted(bridges.items())}
    for uid, account in sorted(table.items()):
        tokens = account.valid(now) if account.enabled else []
        if tokens:
            # Mosquitto knows one password a user; the newest token comes first.
            lines[uid] = tokens[0].token_hash
    passwords = "".join(f"{name}:{token_hash}\n" for name, token_hash in lines.items())
    return Files(passwords, _acl(sorted(bridges)))


def users(passwords: str) -> dict[str, str]:
    """User name -> hash of a password file; lines that are none are left out."""
    pairs = (line.partition(":") for line in passwords.splitlines() if ":" in line)
    return {user: token_hash for user, _, token_hash in pairs}


def read(directory: Path, name: str) -> str:
    """The text of a file; empty if there is none."""
    try:
        return (directory / name).read_text()
    except FileNotFoundError:
        return ""


def write(directory: Path, name: str, text: str) -> bool:
    """Replace a file; False when it has this text already. Only its directory's owner can read it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / name
    if path.exists() and path.read_text() == text:
        return False
    draft = directory / f".{name}.{os.getpid()}"
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        if os.geteuid() == 0:
            # Mosquitto may run as another user, who owns the directory then.
            owner = directory.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP)
    os.replace(draft, path)
    return True


def drift(directory: Path, wanted: Files) -> list[str]:
    """What is not in the files as it should be, a sentence each; empty when all is well."""
    path = directory / PASSWORDS
    there, right = users(read(directory, PASSWORDS)), users(wanted.passwords)
    found = [f"{name} is missing in {path}." for name in right if name not in there]
    found += [f"{name} is in {path} and may not sign in." for name in there if name not in right]
    both = [name for name in right if name in there]
    found += [f"{name} has another token than in {path}." for name in both if there[name] != right[name]]
    if read(directory, ACL) != wanted.acl:
        found.append(f"{directory / ACL} is not what the hub would write.")
    return found


def configuration(directory: Path, bind: str, port: int) -> str:
    """mosquitto.conf of a child of ours; deploy/mosquitto/mosquitto.conf says what each line is for."""
    # Started as root Mosquitto becomes another user, who may not enter our data directory.
    user = "user root\n" if os.geteuid() == 0 else ""
    return f"""listener {port} {bind}
{user}allow_anonymous false
use_username_as_clientid true
password_file {directory / PASSWORDS}
acl_file {directory / ACL}
max_packet_size {MAX_PACKET_BYTES}
max_inflight_messages {BROKER_WINDOW_MESSAGES}
max_queued_messages 0
max_queued_bytes {_queue_bytes()}
persistence true
persistence_location {directory / "data"}/
autosave_interval 30
connection_messages false
log_dest stderr
log_type error
log_type warning
"""


def _acl(bridges: list[str]) -> str:
    """The bridges first: a `topic` line belongs to the user above it, and to everybody before the first."""
    lines: list[str] = []
    for name in bridges:
        lines.append(f"user {name}")
        lines += [f"topic read {pattern}" for pattern in rules.BRIDGE_READS]
        lines += [f"topic write {pattern}" for pattern in rules.BRIDGE_WRITES]
    lines += [f"pattern read {pattern}" for pattern in rules.DEVICE_READS]
    lines += [f"pattern write {pattern}" for pattern in rules.DEVICE_WRITES]
    return "\n".join(lines) + "\n"


def _bridge_hash(password: str, old: str | None) -> str:
    return old if old is not None and matches(password, old) else hash_token(password)


def _queue_bytes() -> int:
    """What may wait in memory for one client: a part of what this machine has."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    part = memory // MOSQUITTO_QUEUE_PART_OF_MEMORY
    return max(MOSQUITTO_QUEUE_MIN_BYTES, min(part, MOSQUITTO_QUEUE_MAX_BYTES))
