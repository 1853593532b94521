"""Brokers as child processes: started, watched and ended by the hub that needs them."""

import asyncio
import contextlib
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from hub.broker.serving import READY
from hub.limits.broker import BROKER_START_WITHIN_S, BROKER_STOP_WITHIN_S


class ChildFailedError(Exception):
    """A child process did not start; the sentence says why and what to do."""


class Child(ABC):
    """A broker in a process of its own that ends, in order, when this one does; also if that is killed.

    It has its own session, so that Ctrl-C goes to the hub only, which ends the bridge first.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @abstractmethod
    async def start(self) -> int:
        """Start it; returns the port it listens on. Raises ChildFailedError."""

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        return await self._running.wait()

    async def stop(self) -> None:
        """End it in order, within BROKER_STOP_WITHIN_S; nothing happens if it has ended or never began."""
        process = self._process
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        if process.returncode is None:
            self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), BROKER_STOP_WITHIN_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "start() comes first"
        return self._process

    async def _spawn(self, command: Sequence[str], *, read_output: bool) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=settings.BASE_DIR,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE if read_output else None,
            start_new_session=True,
        )
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        # It may have ended in this moment.
        with contextlib.suppress(ProcessLookupError):
            self._running.send_signal(number)


class EmbeddedChild(Child):
    """`manage.py broker` on HUB_MQTT_BIND:HUB_MQTT_PORT. Its complaints go to our standard error."""

    def __init__(self) -> None:
        super().__init__()
        self._echo: asyncio.Task[None] | None = None

    async def start(self) -> int:
        manage = str(Path(settings.BASE_DIR) / "manage.py")
        command = [sys.executable, manage, "broker", "--exit-on-stdin-eof"]
        process = await self._spawn(command, read_output=True)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), BROKER_START_WITHIN_S)
        except TimeoutError:
            await self.stop()
            raise ChildFailedError(
                f"The embedded broker was not ready within {BROKER_START_WITHIN_S:g} s."
            ) from None
        if not line.decode().startswith(READY):
            code = await self.wait()
            raise ChildFailedError(f"The embedded broker ended with exit code {code}; it said why above.")
        self._echo = asyncio.create_task(_echo(process.stdout), name="output of the broker")
        return int(line.rpartition(b":")[2])

    async def stop(self) -> None:
        await super().stop()
        if self._echo is not None:
            await self._echo


async def _echo(stream: asyncio.StreamReader) -> None:
    while line := await stream.readline():
        print(line.decode(errors="replace"), end="", flush=True)
