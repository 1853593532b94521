"""What the embedded broker takes with it over an orderly restart, as a file."""

import logging
import os
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

_VERSION = 1


class KeptMessage(msgspec.Struct, array_like=True):
    """`mid` is None for a message that was not sent yet."""

    topic: str
    data: bytes
    retain: bool
    mid: int | None = None


class KeptSession(msgspec.Struct):
    client_id: str
    filters: dict[str, int]
    inflight: list[KeptMessage]
    waiting: list[KeptMessage]
    inbound: list[KeptMessage]


class State(msgspec.Struct):
    sessions: list[KeptSession] = []
    retained: list[tuple[str, bytes, int]] = []
    version: int = _VERSION


def save(path: Path, state: State) -> None:
    """Write atomically, readable by nobody else. Raises OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.msgpack.encode(state))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def load(path: Path) -> State:
    """Read the file and remove it: after a crash it would bring back what was delivered long ago.

    A damaged file is set aside with a warning, and the broker starts empty.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return State()
    try:
        state = msgspec.msgpack.decode(raw, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _set_aside(path, str(error))
    if state.version != _VERSION:
        return _set_aside(path, f"it has version {state.version}, and {_VERSION} was expected")
    path.unlink()
    return state


def _set_aside(path: Path, reason: str) -> State:
    aside = path.with_name(f"{path.name}.damaged")
    os.replace(path, aside)
    log.warning(
        "The broker's state file cannot be read (%s). It was set aside as %s, and the broker starts without "
        "the sessions and messages of its last run.",
        reason,
        aside,
    )
    return State()
