"""Ingest: what the whole way of a reading costs beside a subscriber that does nothing.

    .venv/bin/python -m tests.bench.ingest [--messages 60000] [--devices 1000] [--postgresql]

Both sides run in turn on this machine, with the same broker, publisher and messages. The bridge
decodes, judges, stores (readings, latest, ledger, frame log), forwards to Redis and acknowledges
after the commit; the reference is a paho subscriber, QoS 1, whose callback counts.
`--postgresql` runs the bridge once more with registry and history on PostgreSQL, as it is when installed.
Design section 8: must 2 x the reference's CPU a message (goal 1.5 x), 8,000 messages/s (goal 12,000).
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.bench.parts.publisher import DEVICE_TYPE, device_id
from tests.parts.hub_process import ROOT, HubEnvironment, wait_until
from tests.parts.mosquitto import Mosquitto, start_mosquitto
from tests.parts.postgres import start_postgres
from tests.parts.redis import start_redis

BROKER = (
    "allow_anonymous true",
    "max_inflight_messages 4000",
    "max_queued_messages 0",
    "max_queued_bytes 500000000",
    "persistence false",
)


Ask = Callable[[str], int | None]
"""The first value that a query gives, or None."""


class Figures(NamedTuple):
    """One run: CPU time of the subscribing process, and from the first packet to the last message."""

    num_messages: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.num_messages * 1e6

    @property
    def per_s(self) -> float:
        return self.num_messages / self.wall_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}: {options.messages} messages, QoS 1", flush=True)
        reference = measure_subscriber(options.messages, options.devices)
        _print("subscriber that counts", reference)
        bridge = measure_bridge(options.messages, options.devices)
        _print("bridge, all stored", bridge)
        print(f"  CPU a message: {bridge.cpu_us / reference.cpu_us:.2f} x the reference (must 2, goal 1.5)")
        print(f"  stored: {bridge.per_s:,.0f} messages/s (must 8,000, goal 12,000)", flush=True)
        if options.postgresql:
            on_postgresql = measure_bridge_on_postgresql(options.messages, options.devices)
            _print("bridge, PostgreSQL", on_postgresql)
            print(f"  stored: {on_postgresql.per_s / bridge.per_s:.2f} x of what SQLite stores", flush=True)


def _print(name: str, figures: Figures) -> None:
    print(
        f"  {name:24} {figures.per_s:8,.0f} messages/s   {figures.cpu_us:6.1f} us CPU a message", flush=True
    )


def measure_subscriber(num_messages: int, num_devices: int) -> Figures:
    """The reference: paho's own loop, nothing done with what arrives."""
    with tempfile.TemporaryDirectory() as folder, start_mosquitto(Path(folder), BROKER) as broker:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.parts.subscriber", broker.host, str(broker.port)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            lines = iter(process.stdout.readline, "")
            return _measure(
                broker,
                process.pid,
                num_messages,
                num_devices,
                lambda: any(int(line) >= num_messages for line in lines),
            )
        finally:
            process.kill()
            process.wait()


def measure_bridge(num_messages: int, num_devices: int) -> Figures:
    """The bridge as production runs it, with SQLite and Redis."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_mosquitto(Path(folder), BROKER) as broker,
        start_redis(Path(folder)) as redis,
    ):
        hub = HubEnvironment(
            Path(folder), HUB_BROKER="open", HUB_MQTT_URL=broker.url, HUB_REDIS_URL=redis.url
        )
        return _measure_hub(
            hub,
            broker,
            num_messages,
            num_devices,
            partial(ask, hub.registry_file),
            partial(ask, hub.history_file),
        )


def measure_bridge_on_postgresql(num_messages: int, num_devices: int) -> Figures:
    """The same with registry and history in one PostgreSQL, which waits for the disk at each commit."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_mosquitto(Path(folder), BROKER) as broker,
        start_redis(Path(folder)) as redis,
        start_postgres(Path(folder)) as server,
    ):
        url = server.create_database("telemetry")
        variables = {"HUB_BROKER": "open", "HUB_MQTT_URL": broker.url, "HUB_REDIS_URL": redis.url}
        hub = HubEnvironment(Path(folder), HUB_DATABASE_URL=url, **variables)
        hub.manage("migrate", "--verbosity", "0")
        ask_both = partial(_ask_postgresql, f"{url}?options=-csearch_path%3Dpublic,history")
        return _measure_hub(hub, broker, num_messages, num_devices, ask_both, ask_both)


def _measure_hub(
    hub: HubEnvironment, broker: Mosquitto, num_messages: int, num_devices: int, registry: Ask, history: Ask
) -> Figures:
    hub.shell(register(num_devices))
    with hub.start("bridge") as bridge:
        reports = "select receiving from devices_bridgereport"
        wait_until(lambda: registry(reports) == 1, 20, what="the bridge's connection")
        figures = _measure(
            broker,
            bridge.pid,
            num_messages,
            num_devices,
            lambda: (history("select sum(received) from ledger") or 0) >= num_messages,
        )
    stored = history("select count(*) from reading")
    assert stored == num_messages, f"{stored} of {num_messages} readings were stored"
    return figures


def _measure(
    broker: Mosquitto, pid: int, num_messages: int, num_devices: int, is_done: Callable[[], bool]
) -> Figures:
    cpu_before_s, started_s = _cpu_s(pid), time.perf_counter()
    arguments = [broker.host, str(broker.port), str(num_messages), str(num_devices)]
    publisher = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.parts.publisher", *arguments], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        wait_until(is_done, 120, what="the last message")
        wall_s = time.perf_counter() - started_s
        return Figures(num_messages, _cpu_s(pid) - cpu_before_s, wall_s)
    finally:
        publisher.kill()
        publisher.wait()


def register(num_devices: int) -> str:
    """Registers the devices of the publisher, in one transaction."""
    ids = [device_id(number) for number in range(num_devices)]
    return f"""
from django.db import transaction
from devices import registry
with transaction.atomic():
    registry.create_device_type(slug={DEVICE_TYPE!r}, name="Bench", metrics=[
        {{"key": "temperature", "kind": "number"}}, {{"key": "humidity", "kind": "number"}},
        {{"key": "running", "kind": "boolean"}}])
    for uid in {ids!r}:
        registry.create_device(uid=uid, device_type={DEVICE_TYPE!r})
"""


def ask(path: Path, query: str) -> int | None:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            row = connection.execute(query).fetchone()
    except sqlite3.OperationalError:
        return None
    return row[0] if row else None


def _ask_postgresql(url: str, query: str) -> int | None:
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute(query.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return row[0] if row else None


def _cpu_s(pid: int) -> float:
    """User and system time of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
