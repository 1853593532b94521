"""`manage.py broker` and the embedded broker as a child, as real processes with a real registry."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.broker.children import broker_child
from hub.limits.registry import KICK_WITHIN_S
from tests.hub.broker.parts import Client
from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import free_port

REGISTER = """
from devices import registry
registry.create_device_type("thermostat")
for uid in ("d1", "d2", "d3"):
    print(registry.create_device(uid, "thermostat")[1])
"""
DISABLE_D1_DELETE_D2 = """
from devices import registry
from devices.models import Device
registry.update_device(Device.objects.get(uid="d1"), enabled=False)
registry.delete_device(Device.objects.get(uid="d2"))
"""
CHILD = """
import asyncio, django
django.setup()
from hub.broker.children import broker_child
async def main():
    child = broker_child()
    print("child on", await child.start(), "is", child.pid, flush=True)
    print("ended with", await child.wait(), flush=True)
asyncio.run(main())
"""


@pytest.fixture
def environment(tmp_path: Path) -> HubEnvironment:
    return HubEnvironment(tmp_path, HUB_MQTT_PORT="0", DJANGO_SETTINGS_MODULE="hub.settings")


def port_of(broker: HubProcess) -> int:
    broker.wait_for_output("broker ready on 127.0.0.1:")
    return int(broker.output.partition("broker ready on 127.0.0.1:")[2].split()[0])


def bridge_password(environment: HubEnvironment) -> str:
    return (environment.data_dir / "bridge_password").read_text()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_it_says_where_it_listens_and_what_it_does_not_promise(environment: HubEnvironment):
    with environment.start("broker") as broker:
        assert accepts(port_of(broker))
        broker.wait_for_output("Not promised: ")
        assert "HUB_BROKER=mosquitto" in broker.output
        assert len(broker.output.splitlines()) == 2


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_within_a_second_and_keeps_its_sessions(
    end: signal.Signals, environment: HubEnvironment, client: Callable[..., Client]
):
    with environment.start("broker") as broker:
        port = port_of(broker)
        bridge = client(port, "hub.bridge", password=bridge_password(environment), clean=False).connect()
        bridge.subscribe("devices/+/+/telemetry")
        began = time.monotonic()
        assert broker.stop(end) == 0
        assert time.monotonic() - began < 1.5
    state = environment.data_dir / "broker.state"
    assert state.stat().st_mode & 0o777 == 0o600
    with environment.start("broker") as broker:
        again = client(port_of(broker), "hub.bridge", password=bridge_password(environment), clean=False)
        assert again.connect().session_present


def test_a_disabled_and_a_deleted_device_are_cut_off_in_time_with_their_last_wills(
    environment: HubEnvironment, client: Callable[..., Client]
):
    tokens = environment.shell(REGISTER).split()
    with environment.start("broker") as broker:
        port = port_of(broker)
        bridge = client(port, "hub.bridge", password=bridge_password(environment)).connect()
        bridge.subscribe("devices/+/+/status")
        devices = [
            client(port, uid, password=token, will=(f"devices/thermostat/{uid}/status", "offline")).connect()
            for uid, token in zip(("d1", "d2", "d3"), tokens, strict=True)
        ]
        assert [device.code for device in devices] == [0, 0, 0]
        environment.shell(DISABLE_D1_DELETE_D2)
        wait_until(lambda: devices[0].lost and devices[1].lost, KICK_WITHIN_S, what="the cuts")
        assert {got.topic.split("/")[2] for got in bridge.wait_for(2)} == {"d1", "d2"}
        assert devices[0].connect().code != 0
        assert devices[1].connect().code != 0
        assert not devices[2].lost


def test_a_device_signs_in_the_moment_it_is_registered(
    environment: HubEnvironment, client: Callable[..., Client]
):
    with environment.start("broker") as broker:
        port = port_of(broker)
        token, *_ = environment.shell(REGISTER).split()
        assert client(port, "d1", password=token).connect().code == 0


def test_a_taken_port_is_one_sentence_that_names_the_variable(environment: HubEnvironment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment.variables["HUB_MQTT_PORT"] = str(taken.getsockname()[1])
        with environment.start("broker") as broker:
            assert broker.process.wait(20) == 1
            assert "HUB_MQTT_PORT" in broker.output
            assert len(broker.output.splitlines()) == 1


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_it_listens_on_loopback_only(bind: str, environment: HubEnvironment):
    environment.variables["HUB_MQTT_BIND"] = bind
    with environment.start("broker") as broker:
        assert broker.process.wait(20) == 1
        assert "HUB_MQTT_BIND" in broker.output
        assert "HUB_BROKER=mosquitto" in broker.output


def test_without_tables_it_says_what_to_run(environment: HubEnvironment):
    environment.registry_file.unlink()
    with environment.start("broker") as broker:
        assert broker.process.wait(20) == 1
        assert "manage.py migrate" in broker.output


def child_of(parent: HubProcess) -> tuple[int, int]:
    """The port and the process id of the broker that it started."""
    parent.wait_for_output("child on ")
    words = parent.output.partition("child on ")[2].split()
    return int(words[0]), int(words[2])


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_a_child_ends_when_its_parent_is_killed(broker: str, environment: HubEnvironment):
    environment.variables |= {"HUB_BROKER": broker, "HUB_MQTT_PORT": str(free_port())}
    with environment.start(CHILD, program=("-c",)) as parent:
        port, _ = child_of(parent)
        assert accepts(port)
        parent.kill()
        wait_until(lambda: not accepts(port), what="the end of the orphan")
    saved = {"embedded": "broker.state", "mosquitto": "mosquitto/data/mosquitto.db"}[broker]
    wait_until((environment.data_dir / saved).exists, what="an orderly end")


def test_mosquitto_ends_even_when_its_guard_is_killed(environment: HubEnvironment):
    environment.variables |= {"HUB_BROKER": "mosquitto", "HUB_MQTT_PORT": str(free_port())}
    with environment.start(CHILD, program=("-c",)) as parent:
        port, guard = child_of(parent)
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: not accepts(port), what="the end of Mosquitto")
        parent.wait_for_output("ended with")


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_a_child_that_cannot_start_says_why(broker: str, environment: HubEnvironment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment.variables |= {"HUB_BROKER": broker, "HUB_MQTT_PORT": str(taken.getsockname()[1])}
        with environment.start(CHILD, program=("-c",)) as parent:
            assert parent.process.wait(20) == 1
            assert "ChildFailedError" in parent.output
            assert "HUB_MQTT_PORT" in parent.output


@pytest.mark.parametrize(
    ("broker", "url"),
    [("embedded", "mqtt://elsewhere"), ("mosquitto", "mqtt://x"), ("open", None), ("emqx", None)],
)
def test_a_broker_that_is_elsewhere_is_not_started(broker: str, url: str | None, settings: Any):
    settings.HUB_BROKER, settings.HUB_MQTT_URL = broker, url
    assert broker_child() is None
