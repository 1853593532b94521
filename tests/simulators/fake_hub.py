"""A small HTTP server that keeps the part of the REST contract (design 4.3) that simulators use."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "secret-of-the-test"
Answer = tuple[int, Any]


@dataclass
class FakeHub:
    """What the server knows, and what it is to do wrong. `requests` are method and path, in order."""

    url: str = ""
    mqtt_port: int = 1883
    types: dict[str, dict[str, Any]] = field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    """Status codes that the next requests are answered with."""
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, authorization: str | None, body: Any) -> Answer:
        self.requests.append((method, path))
        if self.failures:
            return self.failures.pop(0), {"type": "server_error", "errors": []}
        if authorization != f"Token {TOKEN}":
            return _error(401, "authentication_failed", "Invalid token.")
        if match := re.fullmatch(r"device-types/(?:([^/]+)/)?", path):
            return self._device_types(method, match[1], body)
        if match := re.fullmatch(r"devices/(?:([^/]+)/)?(?:(token|latest)/)?", path):
            return self._devices(method, match[1], match[2], body)
        return _error(404, "not_found", "Not found.")

    def _device_types(self, method: str, slug: str | None, body: Any) -> Answer:
        if method == "POST":
            if body["slug"] in self.types:
                return _error(409, "already_exists", "There is such a type.")
            self.types[body["slug"]] = body
            return 201, body
        found = self.types.get(slug or "")
        return (200, found) if found else _error(404, "not_found", "Not found.")

    def _devices(self, method: str, device_id: str | None, part: str | None, body: Any) -> Answer:
        if method == "POST" and device_id is None:
            if body["id"] in self.devices:
                return _error(409, "already_exists", "There is such a device.")
            self.devices[body["id"]] = body
            return 201, {**body, **self._account(body["id"])}
        if device_id not in self.devices:
            return _error(404, "not_found", "Not found.")
        if part == "token":
            return 200, self._account(device_id)
        if part == "latest":
            return 200, {"device": device_id, "values": self.latest.get(device_id, {})}
        return 200, self.devices[device_id]

    def _account(self, device_id: str) -> dict[str, Any]:
        self.tokens[device_id] = f"token-{len(self.requests)}"
        base = f"devices/{self.devices[device_id]['device_type']}/{device_id}"
        topics = {each: f"{base}/{each}" for each in ("telemetry", "status", "rejections")}
        return {
            "token": self.tokens[device_id],
            "mqtt": {
                "host": "127.0.0.1",
                "port": self.mqtt_port,
                "tls": False,
                "username": device_id,
                "topics": {**topics, "commands": f"{base}/commands/+"},
            },
        }


def _error(status: int, code: str, detail: str) -> Answer:
    return status, {"type": "client_error", "errors": [{"code": code, "detail": detail, "attr": None}]}


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def _handle(self, method: str) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        path = self.path.removeprefix("/api/v1/")
        with self.hub.lock:
            self.hub.busy += 1
            self.hub.most_busy = max(self.hub.most_busy, self.hub.busy)
        with self.hub.lock:
            status, answer = self.hub.answer(method, path, self.headers.get("Authorization"), body)
            self.hub.busy -= 1
        payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def start_fake_hub(mqtt_port: int = 1883) -> Iterator[FakeHub]:
    """A running hub whose devices find their broker at `mqtt_port`."""
    hub = FakeHub(mqtt_port=mqtt_port)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="fake hub", kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
