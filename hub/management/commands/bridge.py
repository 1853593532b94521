"""`manage.py bridge`: one bridge worker, from the broker to the store and the channel layer."""

import asyncio
import logging
import signal
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from devices.mqtt import bridge_address
from hub.bridge.health import HealthServer
from hub.bridge.service import Bridge
from hub.history.opening import get_history

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Take telemetry from the MQTT broker: decode, judge, store, forward, acknowledge."

    def handle(self, *_args: Any, **_options: Any) -> None:
        asyncio.run(_run())


async def _run() -> None:
    store = get_history()
    layer = get_channel_layer()
    assert layer is not None
    address = bridge_address(settings.HUB_BRIDGE_SLOT)
    logger.info("Bridge %s: broker %s:%d", settings.HUB_BRIDGE_SLOT, address.host, address.port)
    bridge = Bridge(settings.HUB_BRIDGE_SLOT, address, store, layer)
    health = None
    if settings.HUB_METRICS_PORT is not None:
        health = _serve_health(settings.HUB_METRICS_PORT, bridge)
    task = asyncio.create_task(bridge.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logger.info("Bridge %s: ended", settings.HUB_BRIDGE_SLOT)
    finally:
        if health is not None:
            health.stop()
        store.close()


def _serve_health(port: int, bridge: Bridge) -> HealthServer:
    try:
        server = HealthServer(port, bridge.not_ready, lambda: bridge.role)
    except OSError as error:
        raise CommandError(
            f"Cannot listen on port {port} ({error.strerror}). Set HUB_METRICS_PORT to a free one."
        ) from error
    server.start()
    return server
