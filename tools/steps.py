"""Runs one slow command of the set-up: quiet in the log, visible on the screen."""

import contextlib
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# On a terminal one line is redrawn every second; anywhere else a new line comes this often.
LINE_EVERY_S = 5.0
TAIL_LINES = 25
_ADDRESS = re.compile(r"(https?:/|(?<!\S))/\S*/")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class StepFailed(Exception):
    """A command of the set-up failed; the message says which and shows the end of what it printed."""


def headline(line: str) -> str:
    """What a line of pip, npm or apt says, short enough for a progress line; empty if it says nothing.

    >>> headline("Downloading https://host/a/Twisted-26.10-py3-none-any.whl (3.2 MB)")
    'Downloading Twisted-26.10-py3-none-any.whl (3.2 MB)'
    """
    text = _COLOUR.sub("", line).strip()
    if not text or text.upper().startswith(("WARNING", "NPM WARN", "DEPRECATION")):
        return ""
    if text.startswith("Installing collected packages"):
        return f"Installing {text.count(',') + 1} packages"
    text = _ADDRESS.sub("", text).partition(" (from ")[0]
    return text if len(text) <= 70 else text[:69] + "…"


class Progress:
    """The progress lines of one step, on `out`."""

    def __init__(self, title: str, *, tty: bool, now: float, columns: int = 80) -> None:
        self._title = title
        self._tty = tty
        self._columns = columns
        self._started = self._drawn = now
        self._says = ""

    def hear(self, line: str) -> None:
        self._says = headline(line) or self._says

    def tick(self, now: float) -> str:
        """The text to write at `now` (seconds, any monotonic clock), or "" if it is not time for one."""
        if now - self._drawn < (0.5 if self._tty else LINE_EVERY_S):
            return ""
        self._drawn = now
        text = f"  {self._title}, {now - self._started:.0f} s"
        if self._says:
            text += f": {self._says}"
        # A line that wraps could not be drawn over.
        return f"\r\x1b[K{text[: self._columns - 1]}" if self._tty else f"{text}\n"

    def end(self, now: float, *, ok: bool) -> str:
        text = f"  {self._title}: {'done' if ok else 'failed'} ({now - self._started:.1f} s)\n"
        return f"\r\x1b[K{text}" if self._tty else text


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str | None]:
    """Lines as they come, and None about twice a second so that the caller can draw."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(timeout=0.5):
                yield None
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
            if not chunk:
                return
            yield None


def run_step(title: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Runs `command` to its end with visible progress; everything it prints is added to `log`.

    Nothing is ever asked: standard input is empty. Raises StepFailed if it ends with anything but 0.
    """
    columns = shutil.get_terminal_size().columns
    progress = Progress(title, tty=sys.stdout.isatty(), now=time.monotonic(), columns=columns)
    print(f"  {title} …", end="" if sys.stdout.isatty() else "\n", flush=True)
    printed: list[str] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
        )
        with _ended_with_us(process):
            for line in _lines(process):
                if line is not None:
                    printed.append(line)
                    out.write(line + "\n")
                    progress.hear(line)
                sys.stdout.write(progress.tick(time.monotonic()))
                sys.stdout.flush()
    code = process.returncode
    sys.stdout.write(progress.end(time.monotonic(), ok=code == 0))
    sys.stdout.flush()
    if code:
        tail = "\n".join(f"    {line}" for line in printed[-TAIL_LINES:])
        raise StepFailed(f"{tail}\n{title} failed (code {code}). All of its output is in {log}.")


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Waits for `process`; if we are interrupted it is ended first, so that nothing works on unseen."""
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
