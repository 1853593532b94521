"""Production's shape: Mosquitto, Redis, `manage.py bridge` and Daphne, each a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests.parts.hub_process import HubEnvironment, wait_until
from tests.parts.mosquitto import Mosquitto, free_port, start_mosquitto
from tests.parts.redis import Redis, start_redis
from tests.parts.websocket import LiveClient, live_client
from tests.stack.parts import MOSQUITTO, mosquitto_pub

USER = """
from hub.accounts.models import User
User.objects.create_user("ada", password="a long enough password")
"""


@dataclass
class Production:
    url: str
    broker: Mosquitto
    redis: Redis
    token: str

    def rest(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=10)

    def register(self, uid: str) -> None:
        answer = self.rest("POST", "devices/", {"id": uid, "device_type": "tank"})
        assert answer.status_code == 201, answer.text

    def publish(self, uid: str, payload: str) -> None:
        mosquitto_pub(self.broker, f"devices/tank/{uid}/telemetry", payload)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    port = free_port()
    with start_mosquitto(folder, MOSQUITTO) as broker, start_redis(folder) as redis:
        environment = HubEnvironment(
            folder, HUB_BROKER="open", HUB_MQTT_URL=broker.url, HUB_REDIS_URL=redis.url
        )
        environment.shell(USER)
        with environment.daphne(port), environment.start("bridge"):
            running = Production(f"http://127.0.0.1:{port}", broker, redis, "")
            wait_until(lambda: is_ready(running.url), 30, what="the web process ready, with a bridge")
            running.token = sign_in(running.url)
            metrics = [{"key": "level", "kind": "number"}]
            running.rest("POST", "device-types/", {"slug": "tank", "name": "Tank", "metrics": metrics})
            yield running


def is_ready(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/readyz").json() == {"ready": True, "reasons": []})
    except httpx.TransportError:
        return False


def sign_in(url: str) -> str:
    credentials = {"username": "ada", "password": "a long enough password"}
    return str(httpx.post(f"{url}/api/v1/auth/login/", json=credentials).json()["token"])


@contextmanager
def watching(production: Production) -> Iterator[LiveClient]:
    with live_client(production.url, production.token) as client:
        client.subscribe("tank")
        yield client


def test_a_reading_goes_from_the_device_to_the_socket(production: Production) -> None:
    production.register("north")
    with watching(production) as client:
        production.publish("north", '{"level": 1.25}')
        frame = client.hear_type("readings")
        assert frame["metrics"] == ["level"]
        assert [(row[0], row[4]) for row in frame["rows"]] == [("north", [1.25])]


def test_a_device_registered_now_is_told_to_open_sockets_and_heard_at_once(production: Production) -> None:
    with watching(production) as client:
        production.register("south")
        production.publish("south", '{"level": 2}')
        told = client.hear_all({"readings", "devices"}, 2.0)
        assert [(row[0], row[4]) for row in told["readings"]["rows"]] == [("south", [2])]
        assert [device["id"] for device in told["devices"]["changed"]] == ["south"]


def test_what_was_stored_is_answered_over_rest(production: Production) -> None:
    production.register("east")
    with watching(production) as client:
        production.publish("east", '{"ts": 1, "level": 7}')
        production.publish("east", '{"level": 3}')
        client.hear_type("readings")
    assert production.rest("GET", "devices/east/latest/").json()["values"]["level"]["value"] == 3
    assert production.rest("GET", "devices/east/readings/").json()["metrics"]["level"]["value"] == [3]
    ledger = production.rest("GET", "devices/east/ledger/").json()
    assert (ledger["received"], ledger["stored"], ledger["rejected"]) == (2, 1, 1)
    refused = production.rest("GET", "rejections/?device=east").json()["results"]
    assert [(each["reason"], each["count"]) for each in refused] == [("timestamp_too_old", 1)]


def test_without_redis_pages_go_on_from_the_frame_log(production: Production) -> None:
    production.register("west")
    with watching(production) as client:
        production.redis.kill()
        try:
            client.hear(lambda m: m["type"] == "heartbeat" and m["layer"] == "down", 20)
            production.publish("west", '{"level": 4}')
            client.hear(lambda m: m["type"] == "readings" and m["rows"][0][0] == "west", 5)
        finally:
            production.redis.start()
        client.hear(lambda m: m["type"] == "heartbeat" and m["layer"] == "up", 20)
        production.publish("west", '{"level": 5}')
        client.hear(lambda m: m["type"] == "readings" and m["rows"][0][4] == [5], 5)
