"""The hub's own commands as child processes, each with a data directory of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_END_WITHIN_S: Final = 15.0


def wait_until(condition: Callable[[], bool], within_s: float = 15.0, *, what: str = "the condition") -> None:
    """Poll a condition; AssertionError that names it when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {within_s:g} s"
        time.sleep(0.02)


class HubProcess:
    """One running command. Its output goes to `log_file`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log_file: Path) -> None:
        self.process = process
        self.log_file = log_file

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_for_output(self, text: str, within_s: float = 30.0) -> None:
        """Until `text` stands in the output; the whole output when it does not come."""
        deadline = time.monotonic() + within_s
        while text not in self.output:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.output}"
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it in order; returns the exit code."""
        if self.process.poll() is None:
            # A test that failed may have left it frozen.
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        try:
            return self.process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end on {number.name}:\n{self.output}") from error

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()


class HubEnvironment:
    """A data directory with a migrated database, and the environment of the processes that use it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.data_dir = folder / "var"
        self.history_file = self.data_dir / "history.sqlite3"
        self.registry_file = self.data_dir / "hub.sqlite3"
        shutil.copytree(_template(), self.data_dir)
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "HUB_DATA_DIR": str(self.data_dir),
            "HUB_STATIC_DIR": str(_template().parent / "static"),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end; returns its output. AssertionError when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, code: str) -> str:
        """Run Python with Django set up, in a process of its own; returns what it printed."""
        return self.manage("shell", "--no-imports", "-c", code)

    @contextmanager
    def start(self, *arguments: str, program: tuple[str, ...] = ("manage.py",)) -> Iterator[HubProcess]:
        """Run a command until the end of the block, e.g. `start("bridge")`."""
        log_file = self.data_dir.parent / f"process-{time.monotonic_ns()}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                cwd=ROOT,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        hub_process = HubProcess(process, log_file)
        try:
            yield hub_process
        finally:
            if process.poll() is None:
                hub_process.stop()

    def daphne(self, port: int) -> AbstractContextManager[HubProcess]:
        """Run the web process alone, as production does."""
        options = ("-b", "127.0.0.1", "-p", str(port), "hub.asgi:application")
        return self.start(*options, program=("-m", "daphne"))


@cache
def _template() -> Path:
    """A data directory with a migrated database, made once a run and copied for each test; beside it
    the compressed static files, made at their first use and shared."""
    folder = Path(tempfile.mkdtemp(prefix="hub-template-")) / "var"
    folder.mkdir(mode=0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**environment, "HUB_DATA_DIR": str(folder)},
        check=True,
        timeout=120,
    )
    return folder
