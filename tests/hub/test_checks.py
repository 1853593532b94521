"""What `manage.py check` warns of."""

from django.core.checks import CheckMessage
from pytest_django import Settings

from hub import checks


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_an_open_broker_is_warned_of(settings: Settings) -> None:
    settings.HUB_BROKER = "open"
    assert ids(checks.broker_is_open()) == ["hub.W001"]
    settings.HUB_BROKER = "mosquitto"
    assert ids(checks.broker_is_open()) == []


def test_a_broker_elsewhere_without_redis_is_warned_of(settings: Settings) -> None:
    settings.HUB_MQTT_URL, settings.HUB_REDIS_URL = "mqtt://broker", None
    assert ids(checks.layer_is_shared()) == ["hub.W002"]
    settings.HUB_REDIS_URL = "redis://layer"
    assert ids(checks.layer_is_shared()) == []
