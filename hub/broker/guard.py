"""`python -m hub.broker.guard COMMAND…`: runs a program that must not outlive who started this.

Mosquitto does not look at its standard input, so this does: when it is closed, as it is when the parent
was killed with -9, the program is ended. SIGTERM, SIGINT and SIGHUP are passed on. Standard library only,
because it has to start at once. Exits with the program's exit code.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

GRACE_S: Final = 3.0
"""From being asked to end to being killed."""

_STDIN: Final = 0
_PR_SET_PDEATHSIG: Final = 1
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)


class Guard:
    """`run()` starts the program and returns its exit code."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._kill_at: float | None = None

    def run(self) -> int:
        signals, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        for number in (*_ENDS, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wakeup)
        program = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent)  # noqa: PLW1509
        with selectors.DefaultSelector() as selector:
            selector.register(_STDIN, selectors.EVENT_READ)
            selector.register(signals, selectors.EVENT_READ)
            while program.poll() is None:
                for key, _ in selector.select(self._patience_s()):
                    if key.fd == signals:
                        self._pass_on(os.read(signals, 64), program)
                    elif not os.read(_STDIN, 1024):
                        selector.unregister(_STDIN)
                        self._end(program)
                if self._patience_s() == 0:
                    program.kill()
        return program.returncode if program.returncode >= 0 else 128 - program.returncode

    def _pass_on(self, numbers: bytes, program: "subprocess.Popen[bytes]") -> None:
        for number in numbers:
            if number == signal.SIGHUP:
                program.send_signal(signal.SIGHUP)
            elif number in _ENDS:
                self._end(program)

    def _end(self, program: "subprocess.Popen[bytes]") -> None:
        program.terminate()
        self._kill_at = self._kill_at or time.monotonic() + GRACE_S

    def _patience_s(self) -> float | None:
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())


def _end_with_parent() -> None:
    """Linux: the program gets SIGTERM when this guard dies, even by -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(Guard(sys.argv[1:]).run())
