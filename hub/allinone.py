"""Everything on one machine: web, relays, bridge and housekeeping on one loop; broker and simulators are
children.

Daphne's reactor runs the loop and hears the signals; what is started here is ended here, in order,
within bounded time: first who sends, then who shows, then who stores, last who carries.
"""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import IO, Any

from channels.layers import get_channel_layer
from daphne.server import Server
from django.conf import settings
from django.core.management.base import CommandError
from twisted.internet import defer, reactor

from dashboard import live
from devices.mqtt import bridge_address
from hub.application import make_application
from hub.bridge.service import Bridge
from hub.broker.children import Child, broker_child
from hub.history.opening import get_history
from hub.housekeeping import Housekeeping
from hub.limits.bridge import END_PART_WITHIN_S
from hub.limits.live import CLIENT_MESSAGE_MAX_BYTES

logger = logging.getLogger(__name__)

Part = Callable[[], Awaitable[None]]
"""Something that runs until it is cancelled; when it ends by itself the whole ends."""


class AllInOne:
    """One hub in one process. `run()` blocks until a signal; returns the exit code.

    `started` is called once everything is up; `senders` are parts that publish (simulators) and
    therefore end first.
    """

    def __init__(self, started: Callable[[], None], senders: Sequence[Part] = ()) -> None:
        self._started = started
        self._senders = senders
        self._broker: Child | None = broker_child()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._exit_code = 0
        self._ending = False
        self._server = Server(
            make_application(),
            endpoints=[_endpoint(settings.HUB_HTTP_HOST, settings.HUB_HTTP_PORT)],
            ready_callable=self._ready,
            websocket_max_message_size=CLIENT_MESSAGE_MAX_BYTES,
            websocket_max_frame_size=CLIENT_MESSAGE_MAX_BYTES,
            server_name="telemetry-hub",
            verbosity=1,
        )

    def run(self) -> int:
        self._server.run()
        # Daphne ends with 0 when it cannot listen.
        return 1 if self._server.abort_start else self._exit_code

    def _ready(self) -> None:
        """Called by Daphne once it listens, just before the loop runs."""
        trigger: Any = reactor
        trigger.addSystemEventTrigger(
            "before", "shutdown", lambda: defer.Deferred.fromFuture(asyncio.ensure_future(self._end()))
        )
        loop = asyncio.get_event_loop()
        self._tasks["start"] = loop.create_task(self._start())
        self._tasks["start"].add_done_callback(self._part_ended("start", may_end=True))

    async def _start(self) -> None:
        store = await asyncio.to_thread(get_history)
        layer = get_channel_layer()
        assert layer is not None
        if self._broker is not None:
            port = await self._broker.start()
            logger.info("MQTT broker on port %d", port)
            self._begin("broker", self._watch_broker)
        bridge = Bridge(settings.HUB_BRIDGE_SLOT, bridge_address(settings.HUB_BRIDGE_SLOT), store, layer)
        self._begin("bridge", bridge.run)
        self._begin("housekeeping", Housekeeping(store).run)
        self._started()
        for number, sender in enumerate(self._senders):
            self._begin(f"sender {number}", sender)

    async def _watch_broker(self) -> None:
        assert self._broker is not None
        code = await self._broker.wait()
        raise RuntimeError(f"the MQTT broker ended by itself with exit code {code}")

    def _begin(self, name: str, part: Part) -> None:
        async def _run() -> None:
            await part()

        task = asyncio.get_event_loop().create_task(_run(), name=name)
        self._tasks[name] = task
        task.add_done_callback(self._part_ended(name, may_end=False))

    def _part_ended(self, name: str, *, may_end: bool) -> Callable[[asyncio.Task[None]], None]:
        def ended(task: asyncio.Task[None]) -> None:
            if self._ending or task.cancelled():
                return
            error = task.exception()
            if error is None and may_end:
                return
            logger.error("The hub ends: %s: %s", name, error or "ended by itself")
            self._exit_code = 1
            self._server.stop()

        return ended

    async def _end(self) -> None:
        """End every part. Twisted hides what is raised here, so it is logged; a second signal is
        ignored, so every wait is bounded."""
        self._ending = True
        try:
            senders = [name for name in self._tasks if name.startswith("sender")]
            await self._cancel(["start", *senders])
            async with asyncio.timeout(END_PART_WITHIN_S):
                await live.shutdown()
            await self._cancel(["housekeeping", "bridge"])
            if self._broker is not None:
                async with asyncio.timeout(END_PART_WITHIN_S):
                    await self._broker.stop()
            await self._cancel(["broker"])
            await asyncio.to_thread(get_history().close)
            layer: Any = get_channel_layer()
            async with asyncio.timeout(END_PART_WITHIN_S):
                await layer.flush()
        except Exception:
            logger.exception("The end was not orderly")
            self._exit_code = self._exit_code or 1

    async def _cancel(self, names: Sequence[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names if name in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_PART_WITHIN_S)
            for task in late:
                logger.warning("%s did not end within %.0f s", task.get_name(), END_PART_WITHIN_S)


def _endpoint(host: str, port: int) -> str:
    """Twisted's description of an address; it wants the colons of IPv6 escaped."""
    return f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"


def refuse_taken_ports() -> None:
    """Say at once which port is taken, rather than after a minute of starting up."""
    _refuse_taken(settings.HUB_HTTP_HOST, settings.HUB_HTTP_PORT, "HUB_HTTP_PORT")
    if settings.HUB_BROKER in ("embedded", "mosquitto") and settings.HUB_MQTT_URL is None:
        _refuse_taken(settings.HUB_MQTT_BIND, settings.HUB_MQTT_PORT, "HUB_MQTT_PORT")


def _refuse_taken(host: str, port: int, variable: str) -> None:
    """CommandError that names the variable to set when somebody listens there already."""
    if port == 0:
        raise CommandError(f"{variable}=0: devices and people must know the port; name a free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error.strerror}). Set {variable} to a free port, "
                f"for example {variable}={port + 1}."
            ) from error


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Keep a second hub off the data directory for as long as the returned file is open."""
    lock = (data_dir / "hub.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        raise CommandError(
            f"A hub (process {lock.read().partition(' ')[0] or 'unknown'}) uses {data_dir} already. "
            "Stop it, or set HUB_DATA_DIR to another directory."
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()} {settings.HUB_PUBLIC_URL}")
    lock.flush()
    return lock


def running_url(data_dir: Path) -> str | None:
    """The address of the hub that uses the data directory now, None when there is none."""
    try:
        with (data_dir / "hub.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError:
        _, _, url = (data_dir / "hub.lock").read_text().partition(" ")
        return url or None
    return None
