"""What `manage.py check` says about a configuration that runs, but not as one may think.

What cannot run at all (a bad URL, for one) stops every command: hub/environment.py.
"""

import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning

from hub.history.opening import why_not_prepared

_ALL_IN_ONE: Final = ("runhub", "demo")


def _command() -> str:
    """The management command that runs, "" outside of manage.py."""
    is_manage = Path(sys.argv[0]).name == "manage.py"
    return sys.argv[1] if is_manage and len(sys.argv) > 1 else ""


@register(Tags.security)
def broker_is_open(**_kwargs: Any) -> list[CheckMessage]:
    """An open broker lets anybody publish as any device."""
    if settings.HUB_BROKER != "open":
        return []
    return [
        CheckWarning(
            "HUB_BROKER=open: the broker's accounts are not ours, so the hub believes what a topic says.",
            hint="Keep that broker to yourself, or set HUB_BROKER=mosquitto.",
            id="hub.W001",
        )
    ]


@register(Tags.compatibility)
def layer_is_shared(**_kwargs: Any) -> list[CheckMessage]:
    """Web and bridge in two processes do not share memory; in `runhub` they are one process."""
    command = _command()
    # A broker elsewhere is how it looks when nobody asks for one of the two.
    is_separate = command == "bridge" or (settings.HUB_MQTT_URL is not None and command not in _ALL_IN_ONE)
    if settings.HUB_REDIS_URL is not None or not is_separate:
        return []
    return [
        CheckWarning(
            "HUB_REDIS_URL is not set: a bridge in a process of its own cannot nudge the web process, so "
            "pages update once a second.",
            hint="Set HUB_REDIS_URL, or run everything with `manage.py runhub`, which needs none.",
            id="hub.W002",
        )
    ]


@register(Tags.compatibility)
def history_is_prepared(**_kwargs: Any) -> list[CheckMessage]:
    """Looked at only when asked for: other commands prepare it, or have no need of it."""
    why = (
        why_not_prepared(settings.HUB_HISTORY_URL, settings.HUB_FRAME_LOG_MB)
        if _command() == "check"
        else None
    )
    if why is None:
        return []
    return [
        CheckWarning(
            f"The history that HUB_HISTORY_URL names cannot be used as it is: {why}",
            hint="The first start of `runhub`, of a bridge or of the web process prepares it.",
            id="hub.W003",
        )
    ]


@register(Tags.security)
def embedded_broker_is_on_loopback(**_kwargs: Any) -> list[CheckMessage]:
    """The embedded broker is for one machine; it refuses to start elsewhere."""
    is_ours = settings.HUB_BROKER == "embedded" and settings.HUB_MQTT_URL is None
    if not is_ours or _is_loopback(settings.HUB_MQTT_BIND):
        return []
    return [
        CheckError(
            f"HUB_MQTT_BIND is {settings.HUB_MQTT_BIND!r}, but the embedded broker listens on loopback only "
            "(127.0.0.1).",
            hint="For devices on other machines set HUB_BROKER=mosquitto as well.",
            id="hub.E001",
        )
    ]


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
