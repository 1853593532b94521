"""Many simulated devices on one loop: started gently, kept alive by one timer, ended with goodbyes."""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from hub.limits.simulators import (
    SIMULATOR_BACKFILL_CONCURRENCY,
    SIMULATOR_CONNECT_CONCURRENCY,
    SIMULATOR_GOODBYE_S,
    SIMULATOR_OUTBOX_READINGS,
)
from simulators.connection import Doorway
from simulators.device import Pace, SimulatedDevice
from simulators.hub_api import Account
from simulators.readings import Track
from simulators.registration import Registered
from simulators.tally import Tally
from simulators.weather import Weather

_TICK_S: Final = 1.0


def wall_clock_ms() -> int:
    """Unix milliseconds now."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How a fleet behaves. `interval_s` None: each type's own. `backfill_s` None: no past."""

    seed: int = 1
    interval_s: float | None = None
    backfill_s: float | None = None
    utc_offset_s: int = 0
    outbox_readings: int = SIMULATOR_OUTBOX_READINGS


class Fleet:
    """Runs registered devices. `start()`, `add()` each, watch `tally` and `failed`, then `stop()`."""

    def __init__(self, num_devices: int, plan: FleetPlan, clock: Callable[[], int] = wall_clock_ms) -> None:
        self.tally = Tally(devices=num_devices, filling=0 if plan.backfill_s is None else num_devices)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.devices: list[SimulatedDevice] = []
        self._plan = plan
        self._clock = clock
        self._executor = ThreadPoolExecutor(SIMULATOR_CONNECT_CONCURRENCY, thread_name_prefix="connect")
        self._gate = asyncio.Semaphore(SIMULATOR_CONNECT_CONCURRENCY)
        self._filling = asyncio.Semaphore(SIMULATOR_BACKFILL_CONCURRENCY)
        self._weather = Weather(plan.seed, plan.utc_offset_s)
        self._tls: ssl.SSLContext | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to keep connections alive."""
        self._tasks.append(self._task(self._tick(), "keep alive"))

    def add(self, registered: Registered) -> None:
        """Let a device connect and measure; sign-ins wait for each other."""
        device = self._make(registered)
        self.devices.append(device)
        self._tasks.append(self._task(device.connection.run(), f"connect {device.device_id}"))
        self._tasks.append(self._task(device.run(self._filling), f"measure {device.device_id}"))

    async def stop(self, abrupt: bool = False) -> None:
        """End all devices within SIMULATOR_GOODBYE_S: with goodbyes or, `abrupt`, with their last wills."""
        await _cancel(self._tasks)
        if abrupt:
            for device in self.devices:
                device.connection.cut()
        elif self.devices:
            goodbyes = [asyncio.create_task(each.connection.say_goodbye()) for each in self.devices]
            await asyncio.wait(goodbyes, timeout=SIMULATOR_GOODBYE_S)
            await _cancel(goodbyes)
        # A thread may hang in a connect; nobody waits for it.
        self._executor.shutdown(wait=False, cancel_futures=True)
        self.failed.cancel()

    def _make(self, registered: Registered) -> SimulatedDevice:
        now_ms = self._clock()
        plan = self._plan
        model_type = registered.plan.model_type
        past_from_ms = None if plan.backfill_s is None else now_ms - round(plan.backfill_s * 1000)
        newest_ms = registered.latest.newest_ms()
        start_ms = now_ms if past_from_ms is None else max(past_from_ms, newest_ms or past_from_ms)
        track = Track(model_type, registered.plan.device_id, plan.seed, min(start_ms, now_ms), self._weather)
        track.restore(registered.latest.plain())
        interval_ms = max(1, round((plan.interval_s or model_type.expected_interval_s) * 1000))
        return SimulatedDevice(
            registered,
            track,
            Pace(interval_ms, past_from_ms),
            self._doorway(registered.account),
            self.tally,
            self._clock,
            plan.seed,
            plan.outbox_readings,
        )

    def _doorway(self, account: Account) -> Doorway:
        """One TLS context for all: each would read the certificates again."""
        if account.mqtt.tls and self._tls is None:
            self._tls = ssl.create_default_context()
        return Doorway(gate=self._gate, executor=self._executor, tls=self._tls)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for device in self.devices:
                device.connection.tick()

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task never ends by itself: if one does, the fleet is broken and must say so."""
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self.failed.set_exception(error)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
