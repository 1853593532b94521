"""Live data as the Channels tutorial teaches it: every consumer a member of the group."""

import os
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django_application = get_asgi_application()

GROUP = "tutorial"


class TelemetryConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        del code
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def telemetry(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["data"])


consumer: Any = TelemetryConsumer.as_asgi()
routes: Any = [path("ws/live/", consumer)]
application = ProtocolTypeRouter({"http": django_application, "websocket": URLRouter(routes)})
