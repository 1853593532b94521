"""The application: HTTP by Django, WebSockets by the dashboard. For Daphne, uvicorn, any ASGI server."""

import gc
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
# First, because it sets Django up, and what comes next has models.
django_application = get_asgi_application()

from dashboard.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": django_application, "websocket": websocket_application()})

# Optimization: what is loaded by now stays, and need not be looked through again. With 400 sockets a full
# collection stops all of them for 130 ms, without the loaded code for 60 ms.
gc.freeze()
