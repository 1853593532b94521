"""Who listens to a fleet in these tests."""

import asyncio
import collections
import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hub.protocol import topics
from tests.parts.mosquitto import Mosquitto


class Ear:
    """Hears everything, by device: telemetry payloads and status words."""

    def __init__(self, broker: Mosquitto, clean_session: bool = True) -> None:
        self.telemetry: dict[str, list[bytes]] = collections.defaultdict(list)
        self.status: dict[str, list[str]] = collections.defaultdict(list)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear", clean_session=clean_session)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("devices/#", qos=1)

    def _hear(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        parsed = topics.parse(message.topic)
        if parsed is not None and parsed.kind == "telemetry":
            self.telemetry[parsed.device_id].append(bytes(message.payload))
        elif parsed is not None:
            self.status[parsed.device_id].append(message.payload.decode())

    def readings(self, device_id: str) -> list[dict[str, Any]]:
        """All readings of a device in the order of their arrival."""
        contents = [json.loads(payload) for payload in list(self.telemetry[device_id])]
        return [
            reading
            for content in contents
            for reading in (content if isinstance(content, list) else [content])
        ]

    def tell(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def eventually(condition: Callable[[], object], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)
