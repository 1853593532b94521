"""`manage.py broker`: the embedded broker as a process, from its socket to its orderly end."""

import asyncio
import errno
import ipaddress
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TextIO

from django.db import Error as DatabaseError

from hub.broker.accounts import Accounts
from hub.broker.embedded import EmbeddedBroker
from hub.broker.registry import registry
from hub.limits.broker import EMBEDDED_OPEN_FILES

READY = "broker ready on "
NOT_PROMISED = (
    "Not promised: if this embedded broker crashes, what the bridge had not acknowledged is lost. "
    "For production set HUB_BROKER=mosquitto."
)


class CannotServeError(Exception):
    """The broker cannot start; the sentence says why and what to do."""


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one. Raises CannotServeError."""
    if not _is_loopback(bind):
        raise CannotServeError(
            f"HUB_MQTT_BIND is {bind!r}, but the embedded broker listens on loopback only (127.0.0.1). For "
            "devices on other machines set HUB_BROKER=mosquitto as well."
        )
    listening = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((bind, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise CannotServeError(cannot_listen(bind, port, error)) from error
    return listening


def cannot_listen(bind: str, port: int, error: OSError) -> str:
    """The sentence for an error of bind(): what is wrong and which variable to set."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. Set HUB_MQTT_PORT to a free port, or to 0 for any."
    return f"The broker cannot listen on {bind}:{port} (HUB_MQTT_BIND, HUB_MQTT_PORT): {error.strerror}."


async def serve(
    listening: socket.socket, bridge_password: str, state_file: Path, out: TextIO, until_eof: bool
) -> None:
    """Run until SIGTERM, SIGINT or, if asked, the end of standard input. Raises CannotServeError."""
    accounts = Accounts(registry(), bridge_password)
    broker = EmbeddedBroker(listening, accounts, state_file)
    end = _end_asked_for(until_eof)
    try:
        await broker.start()
    except DatabaseError as error:
        await accounts.close()
        raise CannotServeError(
            f"The registry cannot be read: {error}. If its tables are missing, run `manage.py migrate` first."
        ) from error
    except OSError as error:
        await accounts.close()
        raise CannotServeError(f"The state of the broker's last run cannot be read: {error}.") from error
    host, port = listening.getsockname()[:2]
    print(f"{READY}{host}:{port}\n{NOT_PROMISED}", file=out, flush=True)
    await end.wait()
    await broker.shutdown()
    await accounts.close()


def allow_many_connections() -> None:
    """A connection is a file, and shells allow 1024 where the system would allow far more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = EMBEDDED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, EMBEDDED_OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _end_asked_for(until_eof: bool) -> asyncio.Event:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _on_stdin, loop, end)
    return end


def _on_stdin(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        loop.remove_reader(sys.stdin.fileno())
        end.set()


def _is_loopback(bind: str) -> bool:
    try:
        return bind == "localhost" or ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False
