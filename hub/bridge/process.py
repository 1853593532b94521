"""Which process this is, and whether another one still runs.

A process number alone says little: containers have numbers of their own, and a number is given again.
So a process is known by the boot of its machine, the namespace of its numbers, and when it started.
"""

import contextlib
import os
import platform
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ENDED: Final = frozenset("ZXx")
_STATE_FIELD: Final = 0
_START_FIELD: Final = 19
"""Fields of /proc/PID/stat, counted after the name, which may hold spaces."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one machine. `host` is for people; `started` "": this system does not tell."""

    host: str
    machine: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}"

    def is_dead(self, seen_from: "Process") -> bool:
        """Whether it certainly has ended. Of another machine or container that cannot be told: False."""
        if self.machine != seen_from.machine:
            return False
        started = _start_of(self.pid)
        return started is None or (bool(self.started) and started != self.started)


def this_process() -> Process:
    """The process that calls."""
    pid = os.getpid()
    return Process(platform.node() or "unknown", _machine(), pid, _start_of(pid) or "")


def _machine() -> str:
    """The same for all processes that see each other's numbers, and for nobody else."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        # Of two that live at the same time no namespace has the number of the other.
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return f"{platform.node()} {uuid.getnode():x}"


def _start_of(pid: int) -> str | None:
    """When a process of this machine started, "" if that is not told; None when there is none."""
    with contextlib.suppress(OSError):
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return None if fields[_STATE_FIELD] in _ENDED else fields[_START_FIELD]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
