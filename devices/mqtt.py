"""Where the broker is: for the hub's own workers, and as devices are told."""

from pathlib import Path
from typing import NamedTuple, TypedDict
from urllib.parse import unquote, urlsplit

from django.conf import settings

from hub.kept_secret import kept_secret
from hub.protocol import topics

_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class BrokerAddress(NamedTuple):
    """How a worker of the hub reaches the broker. No user name: an open broker."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None


class Topics(TypedDict):
    telemetry: str
    status: str
    commands: str
    replies: str
    rejections: str


class Coordinates(TypedDict):
    """What a device needs to connect, besides its token, which is the MQTT password."""

    host: str
    port: int
    tls: bool
    username: str
    topics: Topics


def bridge_account(slot: str) -> str:
    """The broker account, and so the client id, of the bridge of a slot. No device id has a dot."""
    return "hub.bridge" if slot == "main" else f"hub.bridge.{slot}"


def bridge_address(slot: str) -> BrokerAddress:
    """How the bridge of a slot reaches the broker: HUB_MQTT_URL, or the broker that runhub starts."""
    if settings.HUB_MQTT_URL is None:
        return BrokerAddress(
            _loopback_of(settings.HUB_MQTT_BIND),
            settings.HUB_MQTT_PORT,
            False,
            bridge_account(slot),
            bridge_password(),
        )
    parts = urlsplit(settings.HUB_MQTT_URL)
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        parts.hostname or "localhost",
        parts.port or (8883 if tls else 1883),
        tls,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def bridge_password() -> str:
    """The password of the bridge's account: HUB_MQTT_URL's, or one kept in the data directory."""
    given = urlsplit(settings.HUB_MQTT_URL or "").password
    if given:
        return unquote(given)
    return kept_secret(Path(settings.HUB_DATA_DIR) / "bridge_password")


def device_coordinates(device_type: str, uid: str) -> Coordinates:
    """Where a device connects and which topics are its own, as the 201 answer shows them."""
    host, port, tls = _public_address()
    return {
        "host": host,
        "port": port,
        "tls": tls,
        "username": uid,
        "topics": {
            "telemetry": topics.telemetry(device_type, uid),
            "status": topics.status(device_type, uid),
            "commands": topics.commands_filter(device_type, uid),
            "replies": topics.reply(device_type, uid, "{id}"),
            "rejections": topics.rejections(device_type, uid),
        },
    }


def _public_address() -> tuple[str, int, bool]:
    parts = urlsplit(settings.HUB_PUBLIC_MQTT_URL or settings.HUB_MQTT_URL or "")
    if parts.hostname:
        tls = parts.scheme == "mqtts"
        return parts.hostname, parts.port or (8883 if tls else 1883), tls
    bind = settings.HUB_MQTT_BIND
    if bind in _ANY_HOST:
        return urlsplit(settings.HUB_PUBLIC_URL).hostname or "localhost", settings.HUB_MQTT_PORT, False
    return bind, settings.HUB_MQTT_PORT, False


def _loopback_of(bind: str) -> str:
    return "127.0.0.1" if bind in _ANY_HOST else bind
