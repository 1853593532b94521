"""A client on the real application."""

import asyncio
import json
from typing import Any

from channels.testing import WebsocketCommunicator

from dashboard.relay import Relay
from hub.asgi import application

ORIGIN = "http://localhost:8000"


class Talk:
    """One socket: what was said on it, in order."""

    def __init__(
        self, session: str | None = None, origin: str | None = ORIGIN, path: str = "/ws/live/"
    ) -> None:
        headers = [(b"origin", origin.encode())] if origin is not None else []
        if session is not None:
            headers.append((b"cookie", f"sessionid={session}".encode()))
        self._socket = WebsocketCommunicator(application, path, headers)

    async def open(self) -> bool:
        accepted, _ = await self._socket.connect(timeout=5)
        return bool(accepted)

    async def say(self, message: dict[str, Any]) -> None:
        await self._socket.send_json_to(message)

    async def say_text(self, text: str) -> None:
        await self._socket.send_to(text_data=text)

    async def say_bytes(self, data: bytes) -> None:
        await self._socket.send_to(bytes_data=data)

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of the kinds; heartbeats are skipped unless asked for."""
        while True:
            event = await self._socket.receive_output(timeout=5)
            assert event["type"] == "websocket.send", event
            message: dict[str, Any] = json.loads(event["text"])
            if message["type"] in kinds:
                return message
            assert message["type"] in ("heartbeat", "summary"), message

    async def closed(self) -> int:
        """The code with which the hub closes; what it says before is skipped."""
        while True:
            event = await self._socket.receive_output(timeout=5)
            if event["type"] == "websocket.close":
                return int(event.get("code", 1000))

    async def leave(self) -> None:
        await self._socket.disconnect(timeout=5)

    async def subscribe(self, **options: Any) -> dict[str, Any]:
        """Subscribe stream s1 to thermostats; returns the snapshot."""
        await self.say({"type": "subscribe", "stream": "s1", "device_type": "thermostat", **options})
        return await self.hear("snapshot")


async def signed_in(session: str) -> Talk:
    talk = Talk(session)
    assert await talk.open()
    assert (await talk.hear("welcome"))["version"] == 1
    return talk


async def until(relay: Relay, end: int) -> None:
    """Until the ring of a relay has grown to `end`."""
    grown = asyncio.Event()
    relay.attach(grown, grown.set)
    async with asyncio.timeout(8):
        while relay.ring.end < end:
            await grown.wait()
            grown.clear()
    relay.detach(grown)
