"""The live socket under the real Daphne, as production runs it."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import free_port

SIGN_IN = """
from django.test import Client
from devices import registry
from hub.accounts.models import User
registry.create_device_type("pump", name="Pump", metrics=[{"key": "flow"}])
client = Client()
client.force_login(User.objects.create_user("ada"))
print(client.cookies["sessionid"].value)
"""


class Daphne(NamedTuple):
    process: HubProcess
    port: int
    session: str

    def connect(self, origin: str = "http://localhost:8000", path: str = "/ws/live/") -> connect:
        cookie = {"Cookie": f"sessionid={self.session}"}
        url = f"ws://127.0.0.1:{self.port}{path}"
        return connect(url, origin=Origin(origin), additional_headers=cookie, compression=None)


@pytest.fixture(scope="module")
def daphne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    folder: Path = tmp_path_factory.mktemp("daphne")
    hub = HubEnvironment(folder)
    session = hub.shell(SIGN_IN).split()[-1]
    port = free_port()
    limits = ("--websocket-max-message-size", "65536", "--websocket-max-frame-size", "65536")
    options = ("-b", "127.0.0.1", "-p", str(port), *limits, "hub.asgi:application")
    with hub.start(*options, program=("-m", "daphne")) as process:
        wait_until(lambda: _accepts(port), what="Daphne's port")
        yield Daphne(process, port, session)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def close_code(client: ClientConnection) -> int | None:
    try:
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_a_foreign_origin_and_an_unknown_address_are_refused_with_403(daphne: Daphne) -> None:
    for attempt in (daphne.connect("http://evil.example"), daphne.connect(path="/ws/elsewhere/")):
        with pytest.raises(InvalidStatus) as refused:
            await attempt
        assert refused.value.response.status_code == 403


async def test_a_message_over_64_kib_ends_its_own_socket_only(daphne: Daphne) -> None:
    async with daphne.connect() as other, daphne.connect() as client:
        await client.send("x" * 70_000)
        assert await close_code(client) in (1009, None)
        await other.send('{"type":"ping","at_ms":1}')
        async with asyncio.timeout(5):
            while '"pong"' not in str(await other.recv()):
                pass


async def test_a_wrong_token_is_refused_with_4001(daphne: Daphne) -> None:
    async with connect(f"ws://127.0.0.1:{daphne.port}/ws/live/") as client:
        await client.send('{"type":"authenticate","token":"wrong"}')
        assert await close_code(client) == 4001


async def test_a_terminated_server_tells_browsers_to_come_back(daphne: Daphne) -> None:
    async with daphne.connect() as client:
        await client.send('{"type":"subscribe","stream":"s1","device_type":"pump"}')
        while '"snapshot"' not in str(await client.recv()):
            pass
        daphne.process.process.send_signal(signal.SIGTERM)
        assert await close_code(client) == 4012
    assert daphne.process.stop() == 0
    assert "Traceback" not in daphne.process.output
