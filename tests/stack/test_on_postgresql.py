"""Registry and history on PostgreSQL, as production runs them: its restarts cost time and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from hub.history.postgres import PostgresStore
from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import free_port, start_mosquitto
from tests.parts.postgres import Postgres, start_postgres
from tests.parts.redis import start_redis
from tests.parts.websocket import live_client
from tests.stack.load import DEVICES, Load, check_nothing_lost, subscribed, wait_for_more
from tests.stack.parts import MOSQUITTO, History, Publisher, start_publisher, start_registrar

USER = """
from hub.accounts.models import User
User.objects.create_user("ada", password="a long enough password")
"""
REGISTERED = "registered"


class PostgresHistory(History):
    """The same questions, asked of PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.store = PostgresStore(url, frame_log_bytes=2**30)
        self._url = url

    def query(self, sql: str, *values: object) -> list[Any]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(sql.replace("?", "%s").encode(), values).fetchall()


class Plant(NamedTuple):
    """A bridge and a web process beside Mosquitto, Redis and PostgreSQL."""

    server: Postgres
    bridge: HubProcess
    history: PostgresHistory
    publisher: Publisher
    url: str

    def rest(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Token {self.token()}"}
        answer: dict[str, Any] = httpx.get(f"{self.url}/api/v1/{path}", headers=headers, timeout=10).json()
        return answer

    def token(self) -> str:
        credentials = {"username": "ada", "password": "a long enough password"}
        return str(httpx.post(f"{self.url}/api/v1/auth/login/", json=credentials).json()["token"])

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=20).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """PostgreSQL with a registered fleet in one database, which each test copies."""
    # A crash of the server leaves the pages with the system, so nobody need wait for the disk.
    with start_postgres(tmp_path_factory.mktemp("postgres"), ("fsync = off",)) as running:
        url = running.create_database(REGISTERED)
        environment = HubEnvironment(tmp_path_factory.mktemp("registered"), HUB_DATABASE_URL=url)
        environment.manage("migrate", "--verbosity", "0")
        environment.shell(USER)
        with start_registrar(environment) as registrar:
            for uid in DEVICES:
                registrar.device(uid)
        yield running


@contextmanager
def start_plant(server: Postgres, folder: Path) -> Iterator[Plant]:
    url = server.create_database(folder.name, template=REGISTERED)
    port = free_port()
    with (
        start_mosquitto(folder, MOSQUITTO) as broker,
        start_redis(folder) as redis,
        start_publisher(broker, "load") as publisher,
    ):
        variables = {"HUB_BROKER": "open", "HUB_MQTT_URL": broker.url, "HUB_REDIS_URL": redis.url}
        environment = HubEnvironment(folder, HUB_DATABASE_URL=url, **variables)
        with environment.daphne(port), environment.start("bridge") as bridge:
            history = PostgresHistory(url)
            plant = Plant(server, bridge, history, publisher, f"http://127.0.0.1:{port}")
            wait_until(lambda: subscribed(history) and plant.is_ready(), 30, what="both processes ready")
            yield plant
            history.store.close()
        assert not environment.history_file.exists(), "the history is in the database of the registry"


@pytest.fixture
def plant(server: Postgres, tmp_path: Path) -> Iterator[Plant]:
    with start_plant(server, tmp_path) as running:
        yield running


def test_a_reading_goes_to_the_socket_and_is_answered_over_rest(plant: Plant) -> None:
    with live_client(plant.url, plant.token()) as client:
        client.subscribe("thermostat")
        plant.publisher.reading("a", {"temperature": 21.5, "mode": "eco"})
        frame = client.hear_type("readings")
        assert [(row[0], row[4]) for row in frame["rows"]] == [("a", [21.5, "eco"])]
    assert plant.rest("devices/a/latest/")["values"]["temperature"]["value"] == 21.5
    assert plant.rest("devices/a/readings/")["metrics"]["mode"]["value"] == ["eco"]
    ledger = plant.rest("devices/a/ledger/")
    assert (ledger["received"], ledger["stored"], ledger["rejected"]) == (1, 1, 0)


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
def test_readings_are_stored_once_though_postgresql_restarts_under_load(plant: Plant, crash: bool) -> None:
    load = Load(plant.publisher)
    with load.running():
        wait_for_more(plant.history)
        if crash:
            plant.server.kill()
        else:
            plant.server.stop()
        plant.bridge.wait_for_output("Not storing, will try again")
        assert not plant.is_ready()
        plant.server.start()
        wait_for_more(plant.history)
    plant.bridge.wait_for_output("Storing again")
    check_nothing_lost(plant.history, load)
    assert plant.bridge.process.poll() is None
    wait_until(plant.is_ready, 30, what="the web process ready again")
    assert plant.rest("devices/a/ledger/")["stored"] == len(plant.history.rows("a"))
