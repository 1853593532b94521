"""The site of docker-compose.yml, its commands, environments and files run natively, from end to end."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.parts.hub_process import wait_until
from tests.parts.websocket import live_client
from tests.stack.site import RunningSite, running_site

# The site takes long to start: once is enough.
pytestmark = pytest.mark.xdist_group("site")
PASSWORD = "a long enough password"
CREATE_USER = ("python", "manage.py", "createsuperuser", "--noinput", "--username=ada", "--email=a@b.cd")


class Signed:
    """Somebody who is signed in at the site."""

    def __init__(self, running: RunningSite, token: str) -> None:
        self.running = running
        self.url = running.site.url
        self.token = token

    def rest(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=10)

    def register(self, uid: str) -> dict[str, object]:
        answer = self.rest("POST", "devices/", {"id": uid, "device_type": "tank"})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


class Device:
    """A device that signs in with its token and tells how that went."""

    def __init__(self, registered: dict[str, object], uid: str) -> None:
        self.uid = uid
        self.connected = threading.Event()
        self.refused = threading.Event()
        self.cut_off = threading.Event()
        self._mqtt = registered["mqtt"]
        self.client = paho.Client(CallbackAPIVersion.VERSION2, uid)
        self.client.username_pw_set(uid, str(registered["token"]))
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.cut_off.set()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, *_: object):
        (self.refused if reason.is_failure else self.connected).set()

    def connect(self) -> None:
        assert isinstance(self._mqtt, dict)
        self.client.connect(self._mqtt["host"], self._mqtt["port"])
        self.client.loop_start()

    def publish(self, reading: object) -> None:
        self.client.publish(f"devices/tank/{self.uid}/telemetry", json.dumps(reading), qos=1)


@contextmanager
def connected(registered: dict[str, object], uid: str) -> Iterator[Device]:
    """A device that the broker has let in, which may take a moment after its registration."""

    def lets_in() -> bool:
        device = Device(registered, uid)
        device.connect()
        wait_until(lambda: device.connected.is_set() or device.refused.is_set(), what="an answer")
        if device.connected.is_set():
            found.append(device)
            return True
        device.client.loop_stop()
        return False

    found: list[Device] = []
    wait_until(lets_in, 10, what=f"the broker letting {uid} in")
    (device,) = found
    try:
        yield device
    finally:
        device.client.disconnect()
        device.client.loop_stop()


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        running.site.services["web"]["environment"]["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        running.site.run("web", *CREATE_USER)
        credentials = {"username": "ada", "password": PASSWORD}
        login = httpx.post(f"{running.site.url}/api/v1/auth/login/", json=credentials, timeout=10)
        somebody = Signed(running, login.json()["token"])
        metrics = [{"key": "level", "kind": "number"}]
        somebody.rest("POST", "device-types/", {"slug": "tank", "name": "Tank", "metrics": metrics})
        yield somebody


def test_a_device_registered_now_signs_in_and_its_reading_reaches_a_socket(signed: Signed) -> None:
    registered = signed.register("north")
    with live_client(signed.url, signed.token) as client, connected(registered, "north") as device:
        client.subscribe("tank")
        device.publish({"level": 1.25})
        frame = client.hear_type("readings")
        assert [(row[0], row[4]) for row in frame["rows"]] == [("north", [1.25])]
    assert signed.rest("GET", "devices/north/readings/").json()["metrics"]["level"]["value"] == [1.25]


def test_a_disabled_device_is_cut_off_within_3_s(signed: Signed) -> None:
    registered = signed.register("south")
    with connected(registered, "south") as device:
        assert signed.rest("PATCH", "devices/south/", {"enabled": False}).status_code == 200
        assert device.cut_off.wait(3.0)
        # paho comes back by itself, and is not let in.
        assert device.refused.wait(10.0)


def test_a_stranger_is_not_let_in(signed: Signed) -> None:
    registered = signed.register("east")
    device = Device({**registered, "token": "guessed"}, "east")
    device.connect()
    assert device.refused.wait(10.0)
    assert not device.connected.is_set()
    device.client.loop_stop()


def test_one_bridge_works_and_the_other_waits(signed: Signed) -> None:
    ports = signed.running.bridges
    roles = [httpx.get(f"http://127.0.0.1:{port}/readyz").json()["role"] for port in ports]
    assert sorted(roles) == ["active", "standby"]


def test_pages_come_with_compressed_files(signed: Signed) -> None:
    page = httpx.get(f"{signed.url}/accounts/login/").text
    style = next(word for word in page.split('"') if "/static/dashboard/base." in word)
    answer = httpx.get(f"{signed.url}{style}")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
