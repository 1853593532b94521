"""A bridge's own /healthz and /readyz, for whoever watches processes. GET only, no sign-in."""

import json
import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

logger = logging.getLogger(__name__)

Reasons = Callable[[], list[str]]
"""Why the bridge does not do its work now; nothing when it does."""

Role = Callable[[], str]


class HealthServer:
    """Answers on a port of its own, in a thread, so that it also answers when the loop is busy.

    /readyz: `{"ready", "role": "active" | "standby", "reasons"}`. A standby that can wait is ready.
    """

    def __init__(self, port: int, reasons: Reasons, role: Role, host: str = "") -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(reasons, role))
        self._thread = Thread(target=self._server.serve_forever, name="bridge health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()
        logger.info("Bridge health on port %d: /healthz, /readyz", self.port)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(reasons: Reasons, role: Role) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(200, {"alive": True})
            elif self.path == "/readyz":
                why = reasons()
                self._answer(503 if why else 200, {"ready": not why, "role": role(), "reasons": why})
            else:
                self._answer(404, {"detail": "There is /healthz and /readyz."})

        def _answer(self, status: int, body: dict[str, object]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Probes come every few seconds: nothing to say."""

    return Handler
