"""Mosquitto as a child of the hub, with password and access files that follow the registry."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from django.conf import settings
from django.db import connections

from devices.models import BridgeReport
from devices.mqtt import bridge_account, bridge_password
from hub.broker import mosquitto_files as files
from hub.broker import registry
from hub.broker.child import Child, ChildFailedError
from hub.broker.complaints import Complaints
from hub.broker.serving import cannot_listen
from hub.limits.broker import (
    ACCOUNTS_POLL_S,
    BROKER_START_WITHIN_S,
    MOSQUITTO_RENDER_ANYWAY_S,
    MOSQUITTO_RENDER_EVERY_S,
)

T = TypeVar("T")
log = logging.getLogger(__name__)

_ALSO_IN: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_NOT_FOUND: Final = (
    "HUB_BROKER=mosquitto needs the program mosquitto, which is not installed. Install it with "
    "`apt-get install mosquitto`, `dnf install mosquitto` or `brew install mosquitto`."
)
_ASK_EVERY_S: Final = 0.05


def find_mosquitto() -> str:
    """The path of the program. Raises ChildFailedError that says how to install it."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ALSO_IN])
    found = shutil.which("mosquitto", path=places)
    if found is None:
        raise ChildFailedError(_NOT_FOUND)
    return found


def wanted_accounts(directory: Path) -> files.Files:
    """What the account files should say now. Blocking: reads the registry."""
    slots = {"main", settings.HUB_BRIDGE_SLOT, *BridgeReport.objects.values_list("slot", flat=True)}
    bridges = {bridge_account(slot): bridge_password() for slot in slots}
    old = files.read(directory, files.PASSWORDS)
    return files.accounts(registry.everything(), bridges, old, time.time())


def render_accounts(directory: Path) -> bool:
    """Write the password and access files; whether anything changed. Blocking."""
    wanted = wanted_accounts(directory)
    passwords_changed = files.write(directory, files.PASSWORDS, wanted.passwords)
    return files.write(directory, files.ACL, wanted.acl) or passwords_changed


def render(directory: Path, bind: str, port: int) -> bool:
    """Write everything that Mosquitto needs to run as our child; whether anything changed. Blocking."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "data").mkdir(mode=0o700, exist_ok=True)
    accounts_changed = render_accounts(directory)
    return (
        files.write(directory, files.CONFIG, files.configuration(directory, bind, port)) or accounts_changed
    )


class MosquittoChild(Child):
    """Mosquitto on HUB_MQTT_BIND:HUB_MQTT_PORT, its files in HUB_MOSQUITTO_DIR.

    About a second after a change of the registry a new device can sign in and a disabled one is cut off.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = Path(settings.HUB_MOSQUITTO_DIR)
        self._complaints = Complaints(log)
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> int:
        program = find_mosquitto()
        bind, port = settings.HUB_MQTT_BIND, await _port(settings.HUB_MQTT_BIND, settings.HUB_MQTT_PORT)
        version = await _in_thread(registry.version)
        await _in_thread(lambda: render(self._directory, bind, port))
        guard = [sys.executable, "-m", "hub.broker.guard"]
        await self._spawn([*guard, program, "-c", str(self._directory / files.CONFIG)], read_output=False)
        await self._accepting("127.0.0.1" if bind in ("0.0.0.0", "") else bind, port)  # noqa: S104
        self._following = asyncio.create_task(self._follow(version), name="mosquitto follows the registry")
        return port

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await super().stop()

    async def _follow(self, version: int) -> None:
        rendered_at = time.monotonic()
        while True:
            await asyncio.sleep(ACCOUNTS_POLL_S)
            age_s = time.monotonic() - rendered_at
            try:
                newest = await _in_thread(registry.version)
                due = newest != version and age_s >= MOSQUITTO_RENDER_EVERY_S
                if due or age_s >= MOSQUITTO_RENDER_ANYWAY_S:
                    rendered_at = time.monotonic()
                    if await _in_thread(lambda: render_accounts(self._directory)):
                        self._signal(signal.SIGHUP)
                    version = newest
            except Exception as error:  # noqa: BLE001 - if this task ended, no new device could sign in
                self._complaints.say(f"Mosquitto's accounts are not up to date: {error!r}.")

    async def _accepting(self, host: str, port: int) -> None:
        """Until it accepts connections. Raises ChildFailedError when it ends instead, or takes too long."""
        deadline = time.monotonic() + BROKER_START_WITHIN_S
        while time.monotonic() < deadline:
            if self._running.returncode is not None:
                raise ChildFailedError(
                    f"Mosquitto ended with exit code {self._running.returncode}; it said why above."
                )
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                return
            await asyncio.sleep(_ASK_EVERY_S)
        await self.stop()
        raise ChildFailedError(f"Mosquitto did not accept connections within {BROKER_START_WITHIN_S:g} s.")


async def _in_thread(work: Callable[[], T]) -> T:
    """Do what reads the registry beside the loop."""
    return await asyncio.to_thread(_with_own_connection, work)


def _with_own_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


async def _port(bind: str, port: int) -> int:
    """The port to use; a free one for 0. Raises ChildFailedError when it cannot be had."""
    try:
        probe = await asyncio.start_server(lambda *_: None, bind, port)
    except OSError as error:
        raise ChildFailedError(cannot_listen(bind, port, error)) from error
    free: int = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    return free
