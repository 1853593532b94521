"""The start script of the broker's container, with a real Mosquitto and the configuration that it ships."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from devices.credentials import hash_token
from tests.parts.mosquitto import free_port
from tools.programs import SERVER_DIRS

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy" / "mosquitto"
WITHIN_S = 10.0


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Site:
    """The broker's folders, and the hub's part: it writes the account files."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.accounts = folder / "accounts"
        self.accounts.mkdir()
        (folder / "data").mkdir()
        text = (DEPLOY / "mosquitto.conf").read_text()
        text = text.replace("/mosquitto/accounts", str(self.accounts))
        text = text.replace("/mosquitto/data", str(folder / "data"))
        text = text.replace("listener 1883", f"listener {self.port} 127.0.0.1\nuser root")
        self.conf = folder / "mosquitto.conf"
        self.conf.write_text(text)
        self.output = folder / "output"

    def write_accounts(self, *names: str) -> None:
        for file, text in (
            ("acl", "pattern write devices/+/%u/telemetry\n"),
            ("passwords", "".join(f"{name}:{hash_token('secret')}\n" for name in names)),
        ):
            fresh = self.accounts / f"{file}.new"
            fresh.write_text(text)
            fresh.replace(self.accounts / file)

    def start(self) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join((os.environ["PATH"], *SERVER_DIRS))
        env = {"PATH": path, "ACCOUNTS_DIR": str(self.accounts), "MOSQUITTO_CONF": str(self.conf)}
        with self.output.open("wb") as output:
            return subprocess.Popen([DEPLOY / "watch.sh"], env=env, stdout=output, stderr=output)

    def lets_in(self, name: str) -> bool:
        answers: list[bool] = []
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.append(
            not reason.is_failure
        )
        client.username_pw_set(name, "secret")
        try:
            client.connect("127.0.0.1", self.port)
        except OSError:
            return False
        deadline = time.monotonic() + WITHIN_S
        while not answers and time.monotonic() < deadline:
            client.loop(0.1)
        client.disconnect()
        return answers == [True]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def script(site: Site) -> Iterator["subprocess.Popen[bytes]"]:
    process = site.start()
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(WITHIN_S)


def test_the_broker_waits_for_its_accounts_and_follows_them(
    site: Site, script: "subprocess.Popen[bytes]"
) -> None:
    assert _eventually(lambda: "Waiting for the hub" in site.output.read_text())
    site.write_accounts("d1")
    assert _eventually(lambda: site.lets_in("d1")), site.output.read_text()
    assert not site.lets_in("d2")
    site.write_accounts("d2")
    assert _eventually(lambda: site.lets_in("d2")), site.output.read_text()
    assert not site.lets_in("d1")


def test_stopping_the_container_stops_the_broker_in_order(site: Site) -> None:
    site.write_accounts("d1")
    script = site.start()
    assert _eventually(lambda: site.lets_in("d1")), site.output.read_text()
    script.send_signal(signal.SIGTERM)
    assert script.wait(WITHIN_S) == 0
    assert not site.lets_in("d1")
    assert "Saving in-memory database" in site.output.read_text() or "terminating" in site.output.read_text()
