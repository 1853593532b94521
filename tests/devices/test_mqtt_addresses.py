import pytest

from devices.mqtt import bridge_account, bridge_address, bridge_password, device_coordinates


@pytest.fixture(autouse=True)
def nothing_set(settings, tmp_path):
    settings.HUB_DATA_DIR = tmp_path
    settings.HUB_MQTT_URL = None
    settings.HUB_PUBLIC_MQTT_URL = None
    settings.HUB_MQTT_BIND = "127.0.0.1"
    settings.HUB_MQTT_PORT = 1883
    settings.HUB_PUBLIC_URL = "https://hub.example"


def where(uid="t1"):
    told = device_coordinates("thermostat", uid)
    return told["host"], told["port"], told["tls"]


def test_a_device_is_told_the_topics_that_are_its_own():
    told = device_coordinates("thermostat", "t1")
    assert told["username"] == "t1"
    assert told["topics"] == {
        "telemetry": "devices/thermostat/t1/telemetry",
        "status": "devices/thermostat/t1/status",
        "commands": "devices/thermostat/t1/commands/+",
        "replies": "devices/thermostat/t1/replies/{id}",
        "rejections": "devices/thermostat/t1/rejections",
    }


def test_devices_are_told_where_the_broker_listens():
    assert where() == ("127.0.0.1", 1883, False)


def test_a_broker_on_all_addresses_is_told_by_the_hubs_public_name(settings):
    settings.HUB_MQTT_BIND = "0.0.0.0"
    assert where() == ("hub.example", 1883, False)


def test_the_public_address_goes_before_the_one_that_the_hub_uses_itself(settings):
    settings.HUB_MQTT_URL = "mqtt://hub.bridge:secret@broker.internal:1999"
    assert where() == ("broker.internal", 1999, False)
    settings.HUB_PUBLIC_MQTT_URL = "mqtts://mqtt.example"
    assert where() == ("mqtt.example", 8883, True)


def test_no_password_of_the_bridge_is_told_to_a_device(settings):
    settings.HUB_MQTT_URL = "mqtt://hub.bridge:secret@broker.internal:1999"
    assert "secret" not in str(device_coordinates("thermostat", "t1"))


def test_the_bridge_of_a_slot_has_an_account_that_no_device_can_have():
    assert bridge_account("main") == "hub.bridge"
    assert bridge_account("east") == "hub.bridge.east"


def test_the_bridge_signs_in_as_its_address_says(settings):
    settings.HUB_MQTT_URL = "mqtts://hub.bridge:a%2Fb@broker.internal"
    address = bridge_address("main")
    assert (address.host, address.port, address.tls) == ("broker.internal", 8883, True)
    assert (address.username, address.password) == ("hub.bridge", "a/b")
    settings.HUB_MQTT_URL = "mqtt://broker.internal"
    assert bridge_address("main").username is None


def test_the_password_for_our_own_broker_is_made_once_and_kept_closed(tmp_path):
    password = bridge_password()
    assert bridge_password() == password == bridge_address("main").password
    assert (tmp_path / "bridge_password").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["bridge_password"]
