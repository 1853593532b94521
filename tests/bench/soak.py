"""A bridge under a steady load for a long time: nothing lost, and its memory stays flat.

    .venv/bin/python -m tests.bench.soak [--minutes 30] [--rate 2000] [--devices 1000]

Mosquitto, Redis, and one bridge with SQLite. Prints the bridge's resident memory after a warm-up (half
the time, at most 5 minutes) and at the end, what was published and what is stored, and whether both laws
hold for every device. Exit code 1 when one of these is not as promised. While SQLite's cache fills, for about
two minutes, memory grows: a run below four minutes says nothing about it.
"""

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.ingest import BROKER, ask, register
from tests.parts.hub_process import ROOT, HubEnvironment, wait_until
from tests.parts.mosquitto import Mosquitto, start_mosquitto
from tests.parts.redis import start_redis

MAX_WARM_UP_S: Final = 300.0
MIN_WARM_UP_S: Final = 120.0
"""Until SQLite's cache is full."""

SAMPLE_EVERY_S: Final = 2.0
FLAT_WITHIN: Final = 0.05
FLAT_WITHIN_MB: Final = 8.0
"""Growth of the bridge, as a part of itself or absolute, that still counts as flat."""

LEDGER: Final = "SELECT device, received, stored, updated, duplicate, rejected, pruned FROM ledger"
ROWS: Final = "SELECT device, count(*) FROM reading GROUP BY device"


class Published(NamedTuple):
    """What the publisher says at its end."""

    published: int
    acknowledged: int
    late_s: float


class Memory(NamedTuple):
    """Resident memory of the bridge: (seconds since the start, MB)."""

    samples: list[tuple[float, float]]
    warm_up_s: float

    @property
    def start_mb(self) -> float:
        """The middle of the first tenth after the warm-up."""
        warm = self._warm()
        return statistics.median(warm[: max(1, len(warm) // 10)])

    @property
    def end_mb(self) -> float:
        """The middle of the last tenth."""
        warm = self._warm()
        return statistics.median(warm[-max(1, len(warm) // 10) :])

    @property
    def is_flat(self) -> bool:
        """True, too, when the run was too short to tell."""
        grown_mb = self.end_mb - self.start_mb
        return not self.tells or grown_mb <= max(FLAT_WITHIN_MB, FLAT_WITHIN * self.start_mb)

    @property
    def tells(self) -> bool:
        return self.warm_up_s >= MIN_WARM_UP_S

    def _warm(self) -> list[float]:
        return [mb for at_s, mb in self.samples if at_s >= self.warm_up_s]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--rate", type=float, default=2_000.0, help="messages a second (default: %(default)g)"
    )
    parser.add_argument("--devices", type=int, default=1_000)
    options = parser.parse_args()
    duration_s = 60 * options.minutes
    print(
        f"{options.devices} devices, {options.rate:g} messages/s, QoS 1, {options.minutes:g} min", flush=True
    )
    with (
        tempfile.TemporaryDirectory(prefix="hub-soak-") as folder,
        start_mosquitto(Path(folder), BROKER) as broker,
        start_redis(Path(folder)) as redis,
    ):
        hub = HubEnvironment(
            Path(folder), HUB_BROKER="open", HUB_MQTT_URL=broker.url, HUB_REDIS_URL=redis.url
        )
        hub.shell(register(options.devices))
        with hub.start("bridge") as bridge:
            reports = "SELECT receiving FROM devices_bridgereport"
            wait_until(lambda: ask(hub.registry_file, reports) == 1, 20, what="the bridge's connection")
            memory, done = load(bridge.pid, broker, options.rate, options.devices, duration_s)
            received = "SELECT sum(received) FROM ledger"
            wait_until(
                lambda: (ask(hub.history_file, received) or 0) >= done.published, 120, what="the last message"
            )
        return judge(memory, done, hub.history_file)


def load(
    pid: int, broker: Mosquitto, rate: float, num_devices: int, duration_s: float
) -> tuple[Memory, Published]:
    """Publish for so long, and look at the bridge's memory meanwhile."""
    publisher = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.bench.parts.steady_publisher"),
            *(broker.host, str(broker.port), str(rate), str(num_devices)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert publisher.stdout is not None
    try:
        assert publisher.stdout.readline() == "ready\n"
        memory = watch(pid, publisher, duration_s)
        said, _ = publisher.communicate(timeout=120)
        return memory, Published(**json.loads(said))
    finally:
        publisher.kill()
        publisher.wait()


def watch(pid: int, publisher: "subprocess.Popen[str]", duration_s: float) -> Memory:
    """Sample the memory, and print it about thirty times."""
    memory = Memory([], min(MAX_WARM_UP_S, duration_s / 2))
    started_s = printed_s = time.monotonic()
    while (at_s := time.monotonic() - started_s) < duration_s:
        assert publisher.poll() is None, "the publisher has ended"
        memory.samples.append((at_s, resident_mb(pid)))
        if time.monotonic() - printed_s >= duration_s / 30:
            printed_s = time.monotonic()
            print(f"  {at_s:6.0f} s  {memory.samples[-1][1]:7.1f} MB", flush=True)
        time.sleep(SAMPLE_EVERY_S)
    return memory


def judge(memory: Memory, done: Published, history_file: Path) -> int:
    """Print both sides of each promise; 1 when one is not kept."""
    with sqlite3.connect(f"file:{history_file}?mode=ro", uri=True) as connection:
        ledgers = connection.execute(LEDGER).fetchall()
        rows = dict(connection.execute(ROWS).fetchall())
    stored, updated, duplicate, rejected = (sum(ledger[i] for ledger in ledgers) for i in range(2, 6))
    first = sum(received != sum(outcomes) for _, received, *outcomes, _ in ledgers)
    second = sum(each[2] - each[6] != rows.get(each[0], 0) for each in ledgers)
    growth_mb = memory.end_mb - memory.start_mb
    print(
        f"memory: {memory.start_mb:.1f} MB after {memory.warm_up_s:.0f} s, {memory.end_mb:.1f} MB at the end "
        f"({growth_mb:+.1f} MB; flat: at most {FLAT_WITHIN_MB:g} MB or {FLAT_WITHIN:.0%}"
        f"{'' if memory.tells else '; too short a run to tell'})\n"
        f"published {done.published}, acknowledged {done.acknowledged}, stored {stored}, rows "
        f"{sum(rows.values())}, updated {updated}, duplicate {duplicate}, rejected {rejected}; the publisher "
        f"was at most {done.late_s:g} s behind\n"
        f"laws: received = stored + updated + duplicate + rejected broken for {first} devices, "
        f"stored - pruned = rows for {second}, of {len(ledgers)}"
    )
    kept = memory.is_flat and stored == done.published == done.acknowledged and not first and not second
    print("All of it holds." if kept else "NOT as promised.", flush=True)
    return 0 if kept else 1


def resident_mb(pid: int) -> float:
    """Resident memory of a process, from /proc."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
