"""Fan-out: many dashboards on one Daphne, beside the way of the Channels tutorial.

    .venv/bin/python tests/bench/fanout.py [--sockets 400] [--rate 10] [--size 4096] [--seconds 10]

Both sides run in turn on this machine, with the same Redis, channel layer (Redis Pub/Sub), frames
and clients. The hub's frames are also written to the frame log, and its clients acknowledge.
Design section 8: must p99 <= 100 ms with nothing lost, goal p99 <= 60 ms.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until  # noqa: E402
from tests.parts.mosquitto import free_port  # noqa: E402
from tests.parts.redis import start_redis  # noqa: E402

CLIENT_PROCESSES = 2
DRAIN_S = 2.0
"""What arrives later than this after the last frame counts as not delivered in time."""

SETTLE_S = 2.0
"""Between the last connection and the first frame."""

SIGN_IN = """
from django.test import Client
from devices import registry
from hub.accounts.models import User
registry.create_device_type("bench", name="Bench", metrics=[{"key": "temperature"}])
client = Client()
client.force_login(User.objects.create_user("bench"))
print(client.cookies["sessionid"].value)
"""


class Figures(NamedTuple):
    """One run: latencies in ms, frames that did not arrive, CPU time of the server."""

    p50_ms: int
    p99_ms: int
    num_expected: int
    num_received: int
    cpu_s: float

    @property
    def lost(self) -> int:
        return self.num_expected - self.num_received


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=400)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--size", type=int, default=4_096)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", choices=("hub", "tutorial"))
    options = parser.parse_args()
    print(
        f"{options.sockets} sockets x {options.rate:g} frames/s of {options.size:,} bytes, Daphne", flush=True
    )
    figures = {}
    for side in ("tutorial", "hub"):
        if options.only in (None, side):
            figures[side] = measure(side, options)
            _print(side, figures[side])
    if len(figures) == 2:
        _compare(figures["hub"], figures["tutorial"])


def _print(side: str, figures: Figures) -> None:
    name = "one consumer a group member" if side == "tutorial" else "the hub's relay"
    print(
        f"  {name:28} p50 {figures.p50_ms:6,} ms   p99 {figures.p99_ms:6,} ms   "
        f"lost {figures.lost:6,} of {figures.num_expected:,}   CPU {figures.cpu_s:.1f} s",
        flush=True,
    )


def _compare(hub: Figures, tutorial: Figures) -> None:
    p50, p99 = tutorial.p50_ms / max(1, hub.p50_ms), tutorial.p99_ms / max(1, hub.p99_ms)
    cpu = tutorial.cpu_s / tutorial.num_received / (hub.cpu_s / hub.num_received)
    print(f"  ratio: p50 {p50:.0f} x, p99 {p99:.0f} x, CPU a delivered frame {cpu:.1f} x")
    print("  the hub must: p99 <= 100 ms, nothing lost; goal: p99 <= 60 ms")


def measure(side: str, options: argparse.Namespace) -> Figures:
    """Run one side: server, clients, publisher, each a process of its own."""
    num_frames = int(options.rate * options.seconds)
    with tempfile.TemporaryDirectory() as folder, start_redis(Path(folder)) as redis:
        hub = HubEnvironment(Path(folder), HUB_REDIS_URL=redis.url, DJANGO_SETTINGS_MODULE="hub.settings")
        session = hub.shell(SIGN_IN).split()[-1]
        port = free_port()
        application = "hub.asgi" if side == "hub" else "tests.bench.parts.tutorial"
        arguments = ("-b", "127.0.0.1", "-p", str(port), f"{application}:application")
        with hub.start(*arguments, program=("-m", "daphne", "-v", "1")) as server:
            wait_until(lambda: _accepts(port), what="the server's port")
            url = f"ws://127.0.0.1:{port}/ws/live/"
            with _dashboards(url, session if side == "hub" else None, options.sockets) as clients:
                time.sleep(SETTLE_S)
                cpu_s = _cpu_s(server)
                _publish(hub, side, num_frames, options)
                time.sleep(DRAIN_S)
                cpu_s = _cpu_s(server) - cpu_s
                seen = [_stop(client) for client in clients]
    return _figures(seen, num_frames * options.sockets, cpu_s)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _dashboards(url: str, session: str | None, count: int) -> Iterator[list["subprocess.Popen[str]"]]:
    each = count // CLIENT_PROCESSES
    command = [sys.executable, "-m", "tests.bench.parts.dashboards", url, "--count", str(each)]
    if session is not None:
        command += ["--session", session]
    clients = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENT_PROCESSES)
    ]
    try:
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n", "the dashboards did not come up"
        yield clients
    finally:
        for client in clients:
            client.kill()
            client.communicate()


def _publish(hub: HubEnvironment, side: str, num_frames: int, options: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "tests.bench.parts.frames_publisher", side]
    command += ["--frames", str(num_frames), "--rate", str(options.rate), "--size", str(options.size)]
    subprocess.run(command, cwd=ROOT, env=hub.variables, check=True, timeout=120)


def _stop(client: "subprocess.Popen[str]") -> dict[str, object]:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("\n")
    client.stdin.flush()
    found: dict[str, object] = json.loads(client.stdout.readline())
    return found


def _cpu_s(server: HubProcess) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _figures(seen: list[dict[str, object]], num_expected: int, cpu_s: float) -> Figures:
    latencies: Counter[int] = Counter()
    for found in seen:
        assert isinstance(found["latencies"], dict)
        latencies.update({int(ms): count for ms, count in found["latencies"].items()})
    num_received = latencies.total()
    return Figures(_quantile(latencies, 0.5), _quantile(latencies, 0.99), num_expected, num_received, cpu_s)


def _quantile(latencies: Counter[int], share: float) -> int:
    wanted, passed = share * latencies.total(), 0
    for ms in sorted(latencies):
        passed += latencies[ms]
        if passed >= wanted:
            return ms
    return 0


if __name__ == "__main__":
    main()
