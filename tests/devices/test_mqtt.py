"""Where the broker is, for the hub's own workers and as devices are told."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devices import mqtt
from devices.mqtt import BrokerAddress


@pytest.fixture
def hub(settings: Any, tmp_path: Any) -> Any:
    """Settings as they are with no variable set."""
    settings.HUB_DATA_DIR = tmp_path
    settings.HUB_MQTT_URL = None
    settings.HUB_PUBLIC_MQTT_URL = None
    settings.HUB_MQTT_BIND = "127.0.0.1"
    settings.HUB_MQTT_PORT = 1883
    settings.HUB_PUBLIC_URL = "http://127.0.0.1:8000"
    return settings


def test_a_bridge_signs_in_with_the_account_of_its_slot(hub: Any):
    assert mqtt.bridge_account("main") == "hub.bridge"
    assert mqtt.bridge_account("north") == "hub.bridge.north"
    address = mqtt.bridge_address("north")
    assert address == BrokerAddress("127.0.0.1", 1883, False, "hub.bridge.north", mqtt.bridge_password())


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_a_broker_that_listens_everywhere_is_reached_on_loopback(hub: Any, bind: str):
    hub.HUB_MQTT_BIND = bind
    assert mqtt.bridge_address("main").host == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883, False, None, None)),
        ("mqtts://broker", BrokerAddress("broker", 8883, True, None, None)),
        ("mqtt://b%40d:p%2Fw@broker:99", BrokerAddress("broker", 99, False, "b@d", "p/w")),
        ("mqtts://[::1]:99", BrokerAddress("::1", 99, True, None, None)),
    ],
)
def test_the_url_says_where_the_broker_is(hub: Any, url: str, address: BrokerAddress):
    hub.HUB_MQTT_URL = url
    assert mqtt.bridge_address("main") == address


def test_the_password_is_made_once_and_readable_by_its_owner_only(hub: Any):
    with ThreadPoolExecutor(4) as pool:
        passwords = set(pool.map(lambda _: mqtt.bridge_password(), range(8)))
    assert len(passwords) == 1
    (password,) = passwords
    assert len(password) >= 43
    (file,) = os.scandir(hub.HUB_DATA_DIR)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_password_of_the_bridge_is_told_to_a_device(hub: Any):
    hub.HUB_MQTT_URL = "mqtt://hub.bridge:secret@broker.internal:1999"
    assert "secret" not in str(mqtt.device_coordinates("thermostat", "t1"))


def test_the_password_of_the_url_goes_first(hub: Any):
    hub.HUB_MQTT_URL = "mqtt://hub.bridge:se%20cret@broker"
    assert mqtt.bridge_password() == "se cret"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("127.0.0.1", 1883, False)),
        ({"HUB_MQTT_BIND": "192.168.1.5", "HUB_MQTT_PORT": 1884}, ("192.168.1.5", 1884, False)),
        (
            {"HUB_MQTT_BIND": "0.0.0.0", "HUB_PUBLIC_URL": "https://hub.example.org"},
            ("hub.example.org", 1883, False),
        ),
        ({"HUB_MQTT_URL": "mqtt://user:pw@inside:1885"}, ("inside", 1885, False)),
        (
            {"HUB_MQTT_URL": "mqtt://inside", "HUB_PUBLIC_MQTT_URL": "mqtts://outside"},
            ("outside", 8883, True),
        ),
    ],
)
def test_devices_are_told_where_to_connect(hub: Any, given: dict[str, Any], told: tuple[str, int, bool]):
    for name, value in given.items():
        setattr(hub, name, value)
    coordinates = mqtt.device_coordinates("thermostat", "t1")
    assert (coordinates["host"], coordinates["port"], coordinates["tls"]) == told
    assert coordinates["username"] == "t1"
    assert coordinates["topics"] == {
        "telemetry": "devices/thermostat/t1/telemetry",
        "status": "devices/thermostat/t1/status",
        "commands": "devices/thermostat/t1/commands/+",
        "replies": "devices/thermostat/t1/replies/{id}",
        "rejections": "devices/thermostat/t1/rejections",
    }
