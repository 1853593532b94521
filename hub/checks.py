"""What `manage.py check` says about a configuration that runs, but not as one may think."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning


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
    """Web and bridge in two processes do not share memory."""
    if settings.HUB_MQTT_URL is None or settings.HUB_REDIS_URL is not None:
        return []
    return [
        CheckWarning(
            "HUB_MQTT_URL is set and HUB_REDIS_URL is not: a bridge in a process of its own cannot nudge "
            "the web process, so pages update once a second.",
            hint="Set HUB_REDIS_URL, or run everything with `manage.py runhub`.",
            id="hub.W002",
        )
    ]
