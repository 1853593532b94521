"""What the stack tests share: a registry written from outside, a history read from outside, a publisher."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hub.history.sqlite import SqliteStore
from hub.history.store import HistoryStore, Ledger, RawRow
from hub.protocol import topics
from hub.protocol.frames import Frame
from tests.parts.hub_process import ROOT, HubEnvironment
from tests.parts.mosquitto import Mosquitto

MOSQUITTO: Final = (
    "allow_anonymous true",
    "max_packet_size 270000",
    "max_inflight_messages 4000",
    "max_queued_messages 0",
)
FIRST_MS: Final = 1_000 * (int(time.time()) - 3_600)
"""An hour ago: when the first reading of a load was measured."""

TYPES: Final = """
from devices import registry
from devices.models import Device
registry.create_device_type("thermostat", expected_interval_s=60.0, metrics=[
    {"key": "temperature", "minimum": -40.0, "maximum": 85.0}, {"key": "mode", "kind": "text"}])
"""

_SERVE: Final = """
import sys
names = {}
for line in sys.stdin:
    exec(eval(line), names)
    print("done", flush=True)
"""


class Registrar:
    """A process with Django that runs what it is told, at once: REST's part in these tests."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, code: str) -> float:
        """Run Python; returns when it was done, in Unix seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{code!r}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n", f"it failed: {code}"
        return time.time()

    def device(self, uid: str, slug: str = "thermostat") -> None:
        self.run(f"registry.create_device({uid!r}, {slug!r})")


@contextmanager
def start_registrar(environment: HubEnvironment) -> Iterator[Registrar]:
    """A registrar that has made the type `thermostat`."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", _SERVE],
        cwd=ROOT,
        env=environment.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        registrar = Registrar(process)
        registrar.run(TYPES)
        yield registrar
    finally:
        process.communicate(timeout=10)


class History:
    """What was stored and written down, by device id."""

    def __init__(self, environment: HubEnvironment) -> None:
        self.store: HistoryStore = SqliteStore(environment.history_file, frame_log_bytes=2**30)
        self.store.prepare()
        self._registry_file = environment.registry_file

    def query(self, sql: str, *values: object) -> list[Any]:
        """Rows of the registry's database."""
        connection = sqlite3.connect(self._registry_file, timeout=5)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def key(self, uid: str) -> int:
        ((key,),) = self.query("SELECT id FROM devices_device WHERE uid = ?", uid)
        assert isinstance(key, int)
        return key

    def rows(self, uid: str) -> list[RawRow]:
        key, rows = self.key(uid), list[RawRow]()
        while page := self.store.rows_page(key, 0, 2**62, rows[-1].ts_ms if rows else -1, 5_000):
            rows += page
        return rows

    def ledger(self, uid: str) -> Ledger:
        return self.ledger_of(self.key(uid))

    def ledger_of(self, key: int) -> Ledger:
        return self.store.ledger([key]).get(key, Ledger())

    def check_laws(self, *uids: str) -> None:
        for uid in uids:
            ledger = self.ledger(uid)
            assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
            assert ledger.stored - ledger.pruned == len(self.rows(uid))

    def frames(self, slug: str = "thermostat") -> list[Frame]:
        """The frame log of a type, in order; it must have no hole and no number twice."""
        logged = self.store.frames_page(slug, {}, 100_000)
        positions: dict[str, int] = {}
        for frame in logged:
            assert frame.first == positions.get(frame.source, 0) + 1
            positions[frame.source] = frame.last
        return logged

    def rejections(self, uid: str) -> list[tuple[str, str, int]]:
        """(reason, metric, count)"""
        return self.query(
            "SELECT reason, metric, count FROM devices_rejection WHERE uid = ? ORDER BY id", uid
        )

    def states(self, uid: str) -> list[tuple[str, str]]:
        """(state, because), oldest first."""
        return self.query(
            "SELECT state, because FROM devices_devicestate WHERE device_id = ? ORDER BY id", self.key(uid)
        )


@contextmanager
def open_history(environment: HubEnvironment) -> Iterator[History]:
    history = History(environment)
    try:
        yield history
    finally:
        history.store.close()


class Publisher:
    """A client with QoS 1 that comes back when its broker does."""

    def __init__(self, client: paho.Client) -> None:
        self._client = client

    def send(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; what QoS 1 promises is waited for with `flush`."""
        self._last = self._client.publish(topic, payload, qos, retain)

    def reading(self, uid: str, document: object, slug: str = "thermostat") -> None:
        self.send(topics.telemetry(slug, uid), json.dumps(document))

    def flush(self) -> None:
        """Until the broker has the last message."""
        self._last.wait_for_publish(20)

    def hear(self, topic: str, on_message: Callable[[str, bytes], None]) -> None:
        self._client.on_message = lambda _client, _data, m: on_message(m.topic, bytes(m.payload))
        self._client.subscribe(topic, 1)


@contextmanager
def start_publisher(broker: Mosquitto, client_id: str = "") -> Iterator[Publisher]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id)
    client.max_inflight_messages_set(1_000)
    client.reconnect_delay_set(1, 1)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield Publisher(client)
    finally:
        client.disconnect()
        client.loop_stop()


def mosquitto_pub(broker: Mosquitto, topic: str, payload: str | Path) -> None:
    """What the README shows; a path is the file that holds the payload."""
    given = ["-f", str(payload)] if isinstance(payload, Path) else ["-m", payload]
    address = ["-h", broker.host, "-p", str(broker.port)]
    subprocess.run(["mosquitto_pub", *address, "-q", "1", "-t", topic, *given], check=True, timeout=20)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the write lock of an SQLite file."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
