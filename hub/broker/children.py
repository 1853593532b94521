"""Which broker the hub starts for itself."""

from django.conf import settings

from hub.broker.child import Child, ChildFailedError, EmbeddedChild
from hub.broker.mosquitto import MosquittoChild

__all__ = ["Child", "ChildFailedError", "broker_child"]


def broker_child() -> Child | None:
    """The broker to start, by HUB_BROKER; None when HUB_MQTT_URL names one, or it is not ours to start."""
    if settings.HUB_MQTT_URL is not None:
        return None
    if settings.HUB_BROKER == "embedded":
        return EmbeddedChild()
    if settings.HUB_BROKER == "mosquitto":
        return MosquittoChild()
    return None
