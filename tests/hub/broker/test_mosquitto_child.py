"""A real Mosquitto as our child, with the registry's accounts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from devices import registry
from devices.models import Device
from devices.mqtt import bridge_password
from hub.broker.child import ChildFailedError
from hub.broker.children import broker_child
from hub.broker.mosquitto import MosquittoChild, find_mosquitto
from tests.hub.broker.parts import Client
from tests.parts.hub_process import wait_until
from tests.parts.mosquitto import free_port

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
TELEMETRY, STATUS = "devices/thermostat/d1/telemetry", "devices/thermostat/d1/status"


async def beside(work: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Do what blocks in a thread, so that the child's loop goes on; its database connection is closed."""

    def ask() -> T:
        try:
            return work(*arguments, **options)
        finally:
            connections.close_all()

    return await asyncio.to_thread(ask)


@pytest.fixture
def directory(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_DATA_DIR = tmp_path
    settings.HUB_MOSQUITTO_DIR = tmp_path / "mosquitto"
    settings.HUB_BROKER = "mosquitto"
    settings.HUB_MQTT_URL = None
    settings.HUB_MQTT_PORT = free_port()
    return tmp_path / "mosquitto"


@pytest.fixture
async def port(directory: Path) -> AsyncIterator[int]:
    child = broker_child()
    assert isinstance(child, MosquittoChild)
    try:
        yield await child.start()
    finally:
        await child.stop()
    assert await child.wait() == 0


def register(uid: str) -> str:
    """A device's token."""
    if not registry.current_version():
        registry.create_device_type("thermostat")
    return registry.create_device(uid, "thermostat")[1]


async def test_devices_and_bridge_sign_in_and_use_their_own_topics(port: int, client: Callable[..., Client]):
    d1, d2 = await beside(register, "d1"), await beside(register, "d2")

    def talk() -> None:
        bridge = client(port, "hub.bridge", password=bridge_password()).connect()
        bridge.subscribe("devices/+/+/telemetry")
        one = client(port, "d1", password=d1, client_id="hub.bridge")
        wait_until(lambda: one.connect().code == 0, 3, what="the sign-in of d1")
        two = client(port, "d2", password=d2).connect()
        one.subscribe("devices/#")
        two.publish(TELEMETRY, "not its own")
        one.publish(TELEMETRY, "its own")
        bridge.publish("devices/thermostat/d2/commands/1", "for d2")
        bridge.publish("devices/thermostat/d1/commands/1", "for d1")
        assert [got.text for got in bridge.wait_for(1)] == ["its own"]
        assert [got.text for got in one.wait_for(1)] == ["for d1"]
        assert not bridge.lost
        assert client(port, "d1", password=d2).connect().code != 0
        assert client(port, "hub.bridge", password=d1).connect().code != 0

    await beside(talk)


async def test_a_new_device_signs_in_after_about_a_second_and_a_disabled_one_is_cut_off(
    port: int, client: Callable[..., Client]
):
    token = await beside(register, "d1")
    device = client(port, "d1", password=token)
    began = time.monotonic()
    await beside(lambda: wait_until(lambda: device.connect().code == 0, 3, what="the sign-in"))
    assert time.monotonic() - began < 2.5
    other = client(port, "d2", password=await beside(register, "d2"))
    await beside(lambda: wait_until(lambda: other.connect().code == 0, 3, what="the other sign-in"))
    assert not device.lost, "to read the files again disturbs nobody who is still in them"

    found = await beside(Device.objects.get, uid="d1")
    await beside(registry.update_device, found, enabled=False)
    await beside(lambda: wait_until(lambda: device.lost, 3, what="the cut"))
    assert (await beside(client(port, "d1", password=token).connect)).code != 0
    assert not other.lost


async def test_what_waits_for_the_bridge_survives_a_restart(directory: Path, client: Callable[..., Client]):
    token = await beside(register, "d1")
    child = MosquittoChild()
    port = await child.start()

    def send() -> None:
        bridge = client(port, "hub.bridge", password=bridge_password(), clean=False).connect()
        bridge.subscribe("devices/+/+/telemetry")
        bridge.stop()
        device = client(port, "d1", password=token).connect()
        for number in range(1_500):
            device.publish(TELEMETRY, str(number))

    await beside(send)
    await child.stop()
    child = MosquittoChild()
    await child.start()
    bridge = client(port, "hub.bridge", password=bridge_password(), clean=False)
    await beside(bridge.connect)
    await beside(bridge.wait_for, 1_500)
    assert bridge.texts() == [str(number) for number in range(1_500)]
    await child.stop()


async def test_port_0_is_any_free_port(directory: Path, settings: Any):
    settings.HUB_MQTT_PORT = 0
    child = MosquittoChild()
    assert await child.start() > 0
    await child.stop()
    await child.stop()


def test_the_accounts_are_written_checked_and_left_alone(directory: Path, capsys):
    register("d1")
    with pytest.raises(CommandError, match=r"d1 is missing"):
        call_command("brokeraccounts", check=True)
    call_command("brokeraccounts", sync=True)
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert sorted(before) == ["acl", "passwords"]
    call_command("brokeraccounts", sync=True)
    call_command("brokeraccounts", check=True)
    assert {path.name: path.stat().st_mtime_ns for path in directory.iterdir()} == before
    assert "nothing has changed" in capsys.readouterr().out
    registry.delete_device(Device.objects.get(uid="d1"))
    with pytest.raises(CommandError, match=r"d1 is in .* may not sign in"):
        call_command("brokeraccounts", check=True)


def test_a_mosquitto_that_is_not_installed_is_a_sentence_with_the_line_to_run(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("hub.broker.mosquitto._ALSO_IN", ())
    with pytest.raises(ChildFailedError, match="apt-get install mosquitto"):
        find_mosquitto()
