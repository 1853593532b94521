"""The hub's REST interface as a simulator uses it: a small client that answers in sentences when it fails."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
import msgspec

from hub.limits.simulators import (
    SIMULATOR_HTTP_ATTEMPTS,
    SIMULATOR_HTTP_TIMEOUT_S,
    SIMULATOR_REGISTER_CONCURRENCY,
)
from simulators.spec import Value

T = TypeVar("T")
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_RETRY_PAUSE_S: Final = 0.5
_DETAIL_CHARS: Final = 300


class HubError(Exception):
    """What went wrong between a simulator and the hub, as a sentence for the person who started it."""


class Topics(msgspec.Struct, frozen=True):
    """The MQTT topics of one device."""

    telemetry: str
    status: str
    commands: str
    rejections: str


class Coordinates(msgspec.Struct, frozen=True):
    """Where and as whom a device speaks MQTT."""

    host: str
    port: int
    tls: bool
    username: str
    topics: Topics


class Account(msgspec.Struct, frozen=True):
    """A device's password (`token`) and its coordinates: what the hub answers to a registration."""

    token: str
    mqtt: Coordinates


class KnownMetric(msgspec.Struct, frozen=True):
    key: str
    kind: str


class KnownType(msgspec.Struct, frozen=True):
    """A device type as the hub has it, as far as a simulator cares."""

    slug: str
    metrics: list[KnownMetric]


class KnownDevice(msgspec.Struct, frozen=True):
    """A device as the hub has it, as far as a simulator cares."""

    id: str
    device_type: str
    labels: dict[str, str] = {}
    enabled: bool = True


class LatestValue(msgspec.Struct, frozen=True):
    value: Value
    ts: datetime


class Latest(msgspec.Struct, frozen=True):
    """The newest value of each metric of a device."""

    values: dict[str, LatestValue] = {}

    def newest_ms(self) -> int | None:
        """When the newest value was measured; None for a device that never sent anything."""
        times = [round(each.ts.timestamp() * 1000) for each in self.values.values()]
        return max(times, default=None)

    def plain(self) -> dict[str, Value]:
        return {key: each.value for key, each in self.values.items()}


class ErrorItem(msgspec.Struct, frozen=True):
    code: str = ""
    detail: str = ""
    attr: str | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """The hub's one error shape (design 4.3)."""

    errors: list[ErrorItem] = []


class HubApi:
    """Asks the hub, at most SIMULATOR_REGISTER_CONCURRENCY requests at a time. Every failure is a HubError.

    Use it as an async context manager. A request that failed on its way is asked again: all that is asked
    here may be asked twice.
    """

    def __init__(self, url: str, token: str, retry_pause_s: float = _RETRY_PAUSE_S) -> None:
        self.url = url.rstrip("/")
        self._retry_pause_s = retry_pause_s
        self._gate = asyncio.Semaphore(SIMULATOR_REGISTER_CONCURRENCY)
        # httpx tells every request at INFO; a fleet's progress is told once, by its own display.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._http = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1/",
            headers={"Authorization": f"Token {token}", "Accept": "application/json"},
            timeout=SIMULATOR_HTTP_TIMEOUT_S,
            # Optimization: reading all certificates takes 0.3 s, and plain HTTP needs none.
            verify=self.url.startswith("https:"),
        )

    async def __aenter__(self) -> "HubApi":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def device_type(self, slug: str) -> KnownType | None:
        """The device type, or None when the hub has none of this name."""
        answer = await self.ask("GET", f"device-types/{slug}/", accept=(200, 404))
        return None if answer.status_code == 404 else self.read(answer, KnownType)

    async def create_device_type(self, body: Mapping[str, Any]) -> bool:
        """True when it was made, False when somebody else was quicker."""
        answer = await self.ask("POST", "device-types/", body, accept=(201, 409))
        return answer.status_code == 201

    async def create_device(self, body: Mapping[str, Any]) -> Account | None:
        """The new device's account, or None when there is a device of this id already."""
        answer = await self.ask("POST", "devices/", body, accept=(201, 409))
        if answer.status_code == 201:
            return self.read(answer, Account)
        if _first_error(answer).code != "already_exists":
            raise HubError(self._refusal("POST", "devices/", answer))
        return None

    async def device(self, device_id: str) -> KnownDevice:
        return self.read(await self.ask("GET", f"devices/{device_id}/"), KnownDevice)

    async def new_token(self, device_id: str) -> Account:
        """A fresh token; the one before it stops working."""
        answer = await self.ask("POST", f"devices/{device_id}/token/", {}, accept=(200, 201))
        return self.read(answer, Account)

    async def latest(self, device_id: str) -> Latest:
        """The newest values; empty for a device that never sent anything."""
        answer = await self.ask("GET", f"devices/{device_id}/latest/", accept=(200, 404))
        return Latest() if answer.status_code == 404 else self.read(answer, Latest)

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, accept: tuple[int, ...] = (200,)
    ) -> httpx.Response:
        """One request, asked again when the hub was unreachable or busy.

        Raises: HubError when the last answer is none of the accepted ones.
        """
        async with self._gate:
            for attempt in range(1, SIMULATOR_HTTP_ATTEMPTS + 1):
                last = attempt == SIMULATOR_HTTP_ATTEMPTS
                try:
                    answer = await self._http.request(method, path, json=body)
                except (httpx.HTTPError, httpx.InvalidURL) as error:
                    if last or not isinstance(error, httpx.TransportError):
                        raise HubError(self._unreachable(error)) from error
                else:
                    if answer.status_code in accept:
                        return answer
                    if last or answer.status_code not in _TRANSIENT:
                        raise HubError(self._refusal(method, path, answer))
                await asyncio.sleep(self._retry_pause_s * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def read(self, answer: httpx.Response, shape: type[T]) -> T:
        """The body as `shape`. Raises: HubError when it is something else."""
        try:
            return msgspec.json.decode(answer.content, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HubError(
                f"{answer.request.url} answered something that is no hub's answer ({error}). "
                f"Is {self.url} really the address of the hub?"
            ) from error

    def _unreachable(self, error: Exception) -> str:
        reason = str(error) or type(error).__name__
        return f"No hub answers at {self.url} ({reason}). Start it, or give its address with --hub."

    def _refusal(self, method: str, path: str, answer: httpx.Response) -> str:
        status, what = answer.status_code, f"{method} /api/v1/{path}"
        if status == 401:
            return (
                f"The hub at {self.url} does not accept the token. Sign in with POST /api/v1/auth/login/ "
                "and give the token that it answers with --token or HUB_TOKEN."
            )
        if status == 403:
            return f"The hub does not let this token do {what}: it needs the right to register devices."
        if 300 <= status < 400:
            return f"{self.url} sends us to {answer.headers.get('Location')}: give that address with --hub."
        if status == 404:
            return f"{self.url} knows no /api/v1/{path}. Is it really the address of the hub?"
        if status >= 500:
            return f"The hub failed with {status} at {what}; its own log says why."
        error = _first_error(answer)
        where = f" ({error.attr})" if error.attr else ""
        return f"The hub refused {what} with {status}: {error.detail or answer.text[:_DETAIL_CHARS]}{where}"


def _first_error(answer: httpx.Response) -> ErrorItem:
    """The first error of the hub's error shape; an empty one when the body is something else."""
    try:
        errors = msgspec.json.decode(answer.content, type=ErrorBody).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ErrorItem()
    return errors[0] if errors else ErrorItem()
