"""The WebSocket addresses."""

from typing import Any

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import path, re_path

from dashboard.consumer import LiveConsumer
from dashboard.origins import OriginGate, refuse

# Channels routes ASGI applications by Django's patterns, whose types know views only.
_live: Any = LiveConsumer.as_asgi()
_refuse: Any = refuse
websocket_urlpatterns: list[Any] = [path("ws/live/", _live), re_path("", _refuse)]


def websocket_application() -> Any:
    """Every WebSocket: the origin first, then the cookies. Who it is, the consumer finds out."""
    return OriginGate(CookieMiddleware(URLRouter(websocket_urlpatterns)), settings.HUB_ALLOWED_ORIGINS)
