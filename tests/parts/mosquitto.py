"""A real Mosquitto on a free port, as a child process."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_START_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.02
_ANYBODY: Final = ("allow_anonymous true",)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A broker of one's own. It keeps its port over `kill()`, `stop()`, `start()` and `restart()`.

    `config_lines` are added to its listener and log settings; files that they name must
    be there at `start()`.
    """

    def __init__(self, folder: Path, config_lines: Sequence[str] = _ANYBODY) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log_file = folder / f"mosquitto-{self.port}.log"
        self._config_file = folder / f"mosquitto-{self.port}.conf"
        self._config_lines = config_lines
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        lines = [f"listener {self.port} {self.host}", "log_dest stderr", "user root", *self._config_lines]
        self._config_file.write_text("\n".join(lines) + "\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._config_file)], stdout=log, stderr=subprocess.STDOUT
            )
        self._wait_until_it_accepts(self._process)

    def reload(self) -> None:
        """Let it read its password and ACL files again."""
        self._send(signal.SIGHUP)

    def stop(self) -> None:
        """End it in order: it saves its state when its configuration says so."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None, "the broker is not running"
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=_START_WITHIN_S)
            self._process = None

    def _wait_until_it_accepts(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(_POLL_S)
            else:
                return
        raise RuntimeError(f"Mosquitto did not start on port {self.port}:\n{self.log_file.read_text()}")


@contextmanager
def start_mosquitto(folder: Path, config_lines: Sequence[str] = _ANYBODY) -> Iterator[Mosquitto]:
    """A running broker that is gone at the end of the block. By default it lets anybody in."""
    broker = Mosquitto(folder, config_lines)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
