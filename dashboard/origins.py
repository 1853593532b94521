"""Which pages may open a WebSocket. By full origin: scheme, host and port."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator

from dashboard.wire import Receive, Send


def has_origin(scope: Any) -> bool:
    """Whether a request comes from a page in a browser."""
    return bool(_origins_in(scope))


def _origins_in(scope: Any) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"origin"]


async def refuse(_scope: Any, receive: Receive, send: Send) -> None:
    """Refuse a socket before it opens: 403."""
    await receive()
    await send({"type": "websocket.close"})


class OriginGate:
    """Lets allowed origins through, and those without one: programs, whose cookies do not count.

    Any other origin is refused. `*` among the allowed ones allows every origin.
    """

    def __init__(self, application: Any, allowed: Sequence[str]) -> None:
        self._application = application
        self._validator = OriginValidator(application, allowed)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        origins = _origins_in(scope)
        allowed = len(origins) <= 1 and all(map(self._allows, origins))
        await (self._application if allowed else refuse)(scope, receive, send)

    def _allows(self, origin: bytes) -> bool:
        try:
            return bool(self._validator.validate_origin(urlparse(origin.decode("latin1"))))
        except ValueError:
            # A port that is no number, a bracket that is not closed: no browser says that.
            return False
