"""A WebSocket client that is no browser: it signs in with an API token and speaks JSON."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection


class LiveClient:
    """One socket; acknowledges what it is sent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def say(self, **message: Any) -> None:
        self._connection.send(json.dumps(message))

    def hear(self, wanted: Callable[[dict[str, Any]], bool], within_s: float = 15.0) -> dict[str, Any]:
        """The next message that is wanted; others are passed over."""
        deadline = time.monotonic() + within_s
        passed: list[str] = []
        while True:
            try:
                message = json.loads(self._connection.recv(max(0.01, deadline - time.monotonic())))
            except TimeoutError:
                raise AssertionError(f"it did not come; {passed} did") from None
            if "frame" in message:
                self.say(type="ack", stream=message["stream"], frame=message["frame"])
            if wanted(message):
                return dict(message)
            passed.append(message["type"])

    def hear_type(self, name: str, within_s: float = 15.0) -> dict[str, Any]:
        return self.hear(lambda message: message["type"] == name, within_s)

    def hear_all(self, names: set[str], within_s: float = 15.0) -> dict[str, dict[str, Any]]:
        """The next message of each of these types, in whatever order they come."""
        heard: dict[str, dict[str, Any]] = {}
        while missing := names - heard.keys():
            message = self.hear(lambda m, missing=missing: m["type"] in missing, within_s)  # type: ignore[misc]
            heard[message["type"]] = message
        return heard

    def subscribe(self, device_type: str, **options: Any) -> dict[str, Any]:
        """Subscribe to a type as stream `s1`; returns its snapshot, of one part."""
        self.say(type="subscribe", stream="s1", device_type=device_type, **options)
        return self.hear_type("snapshot")


@contextmanager
def live_client(url: str, token: str) -> Iterator[LiveClient]:
    """A signed-in client of the hub at an http:// address, which has been welcomed."""
    address = f"ws{url.removeprefix('http')}/ws/live/"
    with connect(address, compression=None) as connection:
        client = LiveClient(connection)
        client.say(type="authenticate", token=token)
        client.hear_type("welcome")
        yield client
