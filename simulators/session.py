"""The `run` command: register, start the fleet, show it, and end it when asked."""

import asyncio
import math
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from simulators.display import Display
from simulators.fleet import Fleet, FleetPlan
from simulators.hub_api import HubApi, HubError
from simulators.registration import Plan, Registered, plan_fleet, register_fleet
from simulators.spec import ModelType
from simulators.tally import Tally

T = TypeVar("T")
EXIT_OK: Final = 0
EXIT_TROUBLE: Final = 1
_SHOW_EVERY_S: Final = 1.0
_SPARE_DESCRIPTORS: Final = 64


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` was asked for. `duration_s` None: until Ctrl-C."""

    hub: str
    token: str
    types: Sequence[ModelType]
    count: int
    prefix: str
    fleet: FleetPlan
    duration_s: float | None = None
    abrupt: bool = False
    until_stdin_ends: bool = False


async def run(options: RunOptions, display: Display) -> int:
    """Run to the end. Answers EXIT_OK, or EXIT_TROUBLE after saying what was wrong with hub or broker."""
    stop = asyncio.Event()
    listen_for_the_end(stop, options.until_stdin_ends)
    plans = plan_fleet(options.types, options.count, options.prefix)
    try:
        allow_sockets(len(plans))
        return await _run_fleet(options, plans, display, stop)
    except HubError as error:
        display.trouble(str(error))
        return EXIT_TROUBLE
    finally:
        display.close()


def listen_for_the_end(stop: asyncio.Event, until_stdin_ends: bool) -> None:
    """Set `stop` at the first Ctrl-C or SIGTERM, and, if wanted, when standard input ends; the second
    signal ends the process where it stands.
    """
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        if stop.is_set():
            os._exit(EXIT_TROUBLE)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    if not until_stdin_ends:
        return

    def on_stdin() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    try:
        loop.add_reader(sys.stdin.fileno(), on_stdin)
    except PermissionError:
        # A file, or /dev/null: it is at its end already.
        stop.set()


async def _run_fleet(
    options: RunOptions, plans: Sequence[Plan], display: Display, stop: asyncio.Event
) -> int:
    fleet = Fleet(len(plans), options.fleet)
    fleet.start()
    try:
        if await _unless(stop, _register(options, plans, fleet, display)) is None:
            return EXIT_OK
        await _show(fleet, display, stop, options.duration_s)
    finally:
        await fleet.stop(options.abrupt)
    display.end(fleet.tally)
    return exit_code(fleet.tally)


async def _register(
    options: RunOptions, plans: Sequence[Plan], fleet: Fleet, display: Display
) -> list[Registered]:
    """Register everything; what is registered begins at once."""

    def take(registered: Registered) -> None:
        fleet.add(registered)
        display.stage("Registering", len(fleet.devices), len(plans))

    display.stage("Registering", 0, len(plans))
    async with HubApi(options.hub, options.token) as api:
        return await register_fleet(api, plans, options.fleet.seed, options.fleet.interval_s, take)


async def _show(fleet: Fleet, display: Display, stop: asyncio.Event, duration_s: float | None) -> None:
    """Show the counters once a second, until the end is asked for or reached.

    Raises: what ended a device's task, which is a defect of ours.
    """
    loop = asyncio.get_running_loop()
    end_s = math.inf if duration_s is None else loop.time() + duration_s
    stopping = asyncio.create_task(stop.wait(), name="stop")
    face = _Face(display)
    try:
        while not stop.is_set() and loop.time() < end_s:
            pause_s = min(_SHOW_EVERY_S, end_s - loop.time())
            await asyncio.wait((stopping, fleet.failed), timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if fleet.failed.done():
                fleet.failed.result()
            face.show(fleet.tally, loop.time())
    finally:
        stopping.cancel()


class _Face:
    """Turns counters into what is shown: the rate since last time, and each new trouble once."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._trouble = ""
        self._measured = 0
        self._at_s: float | None = None

    def show(self, tally: Tally, now_s: float) -> None:
        if tally.trouble not in ("", self._trouble):
            self._display.trouble(tally.trouble)
        self._trouble = tally.trouble
        elapsed_s = _SHOW_EVERY_S if self._at_s is None else max(0.001, now_s - self._at_s)
        rate = (tally.measured - self._measured) / elapsed_s
        self._measured, self._at_s = tally.measured, now_s
        if tally.ever_connected < tally.devices:
            self._display.stage("Connecting", tally.connected, tally.devices)
        else:
            self._display.live(tally, rate)


def exit_code(tally: Tally) -> int:
    """Trouble when no device ever got through to the broker, or some are not let in at the end."""
    return EXIT_TROUBLE if tally.refused or (tally.devices and not tally.ever_connected) else EXIT_OK


def allow_sockets(count: int) -> None:
    """Raise the soft limit of open files, which is often 1,024, as far as `count` connections need.

    Raises: HubError when the system does not allow as many.
    """
    needed = count + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise HubError(
                f"{count} devices need {needed} open files and this system allows {hard}: "
                "raise it with `ulimit -Hn`, or run fewer devices."
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None when the end was asked for first."""
    task = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stopping.cancel()
        task.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)
