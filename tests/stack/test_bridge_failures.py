"""What breaks around a bridge, and its own death: every reading is stored exactly once."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hub.protocol import frames
from tests.parts.hub_process import HubEnvironment, wait_until
from tests.parts.mosquitto import Mosquitto, start_mosquitto
from tests.parts.redis import start_redis
from tests.stack.parts import (
    MOSQUITTO,
    History,
    Publisher,
    locked,
    open_history,
    start_publisher,
    start_registrar,
)

DEVICES = ("a", "b", "c")
FIRST_MS = 1_000 * (int(time.time()) - 3_600)


@pytest.fixture(scope="module")
def registry_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the devices of these tests."""
    environment = HubEnvironment(tmp_path_factory.mktemp("registered"))
    with start_registrar(environment) as registrar:
        for uid in DEVICES:
            registrar.device(uid)
    return environment.registry_file


Hub = Callable[..., HubEnvironment]


@pytest.fixture
def hub(tmp_path: Path, registry_file: Path) -> Hub:
    """A hub of one's own beside a broker: `hub(broker)`."""

    def make(broker: Mosquitto, **variables: str) -> HubEnvironment:
        environment = HubEnvironment(tmp_path, HUB_BROKER="open", HUB_MQTT_URL=broker.url, **variables)
        shutil.copy(registry_file, environment.registry_file)
        return environment

    return make


class Load:
    """Some hundred readings a second, each with a time and a number of its own, until stopped."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.num_sent = 0

    def _run(self) -> None:
        while not self._stopping.wait(0.002):
            self.send()

    def send(self) -> None:
        """One reading of the next device in turn."""
        uid = DEVICES[self.num_sent % len(DEVICES)]
        seq = self.num_sent // len(DEVICES)
        document = {"ts": FIRST_MS + seq, "seq": seq, "values": {"temperature": seq % 80}}
        self._publisher.reading(uid, document)
        self.num_sent += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Send no more, and wait until the broker has all."""
        self._stopping.set()
        self._thread.join()
        self._publisher.flush()


def num_stored(history: History) -> int:
    return sum(history.ledger(uid).stored for uid in DEVICES)


def check_nothing_lost(history: History, load: Load) -> None:
    """Every reading that was published is there once, is counted, and was told to browsers."""
    wait_until(lambda: num_stored(history) == load.num_sent, 20, what=f"{load.num_sent} readings stored")
    told = {
        (row[0], row[1])
        for frame in history.frames()
        if frame.kind == "readings"
        for row in frames.decode_readings(frame.body).rows
    }
    for number, uid in enumerate(DEVICES):
        expected = list(range((load.num_sent - number + len(DEVICES) - 1) // len(DEVICES)))
        rows = history.rows(uid)
        assert [row.seq for row in rows] == expected
        assert [row.ts_ms for row in rows] == [FIRST_MS + seq for seq in expected]
        assert {(uid, row.ts_ms) for row in rows} <= told
        ledger = history.ledger(uid)
        assert (ledger.rejected, ledger.lost_before_hub, ledger.holes) == (0, 0, [])
        assert ledger.last_seq == expected[-1]
        assert history.rejections(uid) == []
    history.check_laws(*DEVICES)


def test_a_bridge_that_is_killed_twice_under_load_stores_every_reading_exactly_once(tmp_path: Path, hub: Hub):
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, ExitStack() as until_stopped:
            with environment.start("bridge") as first:
                wait_until(lambda: subscribed(history), what="the session of the bridge")
                until_stopped.enter_context(load.running())
                wait_for_more(history, 0)
                first.kill()
            with environment.start("bridge") as second:
                wait_for_more(history, num_stored(history))
                second.kill()
            with environment.start("bridge") as third:
                wait_for_more(history, num_stored(history))
                load.stop()
                check_nothing_lost(history, load)
                assert third.stop() == 0
            assert len({frame.source for frame in history.frames()}) == 3


def wait_for_more(history: History, stored: int) -> None:
    wait_until(lambda: num_stored(history) > stored + 200, what="200 more readings")


def subscribed(history: History) -> bool:
    return history.query("SELECT receiving FROM devices_bridgereport") == [(1,)]


def test_a_broker_that_is_restarted_under_load_loses_nothing(tmp_path: Path, hub: Hub):
    persistence = ("persistence true", f"persistence_location {tmp_path}/")
    with start_mosquitto(tmp_path, (*MOSQUITTO, *persistence)) as broker:
        environment = hub(broker)
        with (
            open_history(environment) as history,
            environment.start("bridge") as bridge,
            start_publisher(broker, "load") as publisher,
        ):
            wait_until(lambda: subscribed(history), what="the bridge")
            load = Load(publisher)
            with load.running():
                wait_for_more(history, 0)
                broker.restart()
                wait_for_more(history, num_stored(history))
            check_nothing_lost(history, load)
            assert bridge.process.poll() is None
            assert {frame.source for frame in history.frames()} == {history.frames()[0].source}


@pytest.mark.parametrize("frozen", [False, True], ids=["killed", "frozen"])
def test_with_redis_gone_everything_is_stored_and_acknowledged(tmp_path: Path, hub: Hub, frozen: bool):
    with (
        start_mosquitto(tmp_path, MOSQUITTO) as broker,
        start_redis(tmp_path) as redis,
        start_publisher(broker) as publisher,
    ):
        environment = hub(broker, HUB_REDIS_URL=redis.url)
        load = Load(publisher)
        with open_history(environment) as history:
            with environment.start("bridge") as bridge:
                wait_until(lambda: subscribed(history), what="the bridge")
                os.kill(redis.pid, signal.SIGSTOP if frozen else signal.SIGKILL)
                for _ in range(300):
                    load.send()
                check_nothing_lost(history, load)
                assert bridge.stop() == 0
            with environment.start("bridge"):
                load.send()
                check_nothing_lost(history, load)
            assert all(history.ledger(uid).duplicate == 0 for uid in DEVICES), "nothing came again"


def test_a_locked_database_is_waited_for(tmp_path: Path, hub: Hub):
    """The broker holds what cannot be stored, and the bridge says so in its log."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_until(lambda: subscribed(history), what="the bridge")
            with locked(environment.history_file):
                for _ in range(100):
                    load.send()
                bridge.wait_for_output("Not storing, will try again")
                assert num_stored(history) == 0
            check_nothing_lost(history, load)
            bridge.wait_for_output("Storing again")
