"""Environment variables -> checked values. Every complaint is collected and told at once.

Each secret may also be given as `<NAME>_FILE`, the path of a file that holds it.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hub.kept_secret import kept_secret
from hub.limits.registry import DATABASE_CONNECTIONS, DATABASE_TIMEOUT_S

T = TypeVar("T")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_ANY_HOST = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to
_LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


class Environment:
    """Reads variables; `finish()` stops the program if any of them was bad."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._complaints: list[str] = []

    def finish(self) -> None:
        """Raise ImproperlyConfigured with every complaint, a line each."""
        if self._complaints:
            raise ImproperlyConfigured("\n".join(self._complaints))

    def text(self, name: str, default: str) -> str:
        return self._variables.get(name) or default

    def words(self, name: str, default: list[str]) -> list[str]:
        """A comma-separated list."""
        given = self._variables.get(name)
        return [word.strip() for word in given.split(",") if word.strip()] if given else default

    def boolean(self, name: str, default: bool) -> bool:
        given = self._variables.get(name)
        if given is None:
            return default
        if given.lower() in _TRUE | _FALSE:
            return given.lower() in _TRUE
        return self._complain(name, given, "true or false", default)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        given = self._variables.get(name) or default
        return given if given in choices else self._complain(name, given, " | ".join(choices), default)

    def integer(self, name: str, default: int, minimum: int) -> int:
        given = self._variables.get(name) or str(default)
        if given.isascii() and given.isdigit() and int(given) >= minimum:
            return int(given)
        return self._complain(name, given, f"a whole number from {minimum} up", default)

    @overload
    def port(self, name: str, default: int) -> int: ...
    @overload
    def port(self, name: str, default: None) -> int | None: ...
    def port(self, name: str, default: int | None) -> int | None:
        """A TCP port; 0 lets the system choose one."""
        given = self._variables.get(name)
        if not given:
            return default
        if given.isascii() and given.isdigit() and int(given) <= 65_535:
            return int(given)
        return self._complain(name, given, "a port from 0 (any free one) to 65535", default)

    def slot(self, name: str, default: str) -> str:
        given = self._variables.get(name) or default
        if re.fullmatch(r"[a-z0-9-]{1,32}", given):
            return given
        return self._complain(name, given, "1 to 32 lower-case letters, digits or `-`", default)

    def url(self, name: str, default: str | None, schemes: Sequence[str]) -> str | None:
        given = self.secret(name, None)
        if given is None:
            return default
        try:
            parts = urlsplit(given)
            good = parts.scheme in schemes and (parts.scheme == "sqlite" or bool(parts.hostname))
            _ = parts.port
        except ValueError:
            good = False
        expected = f"an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        return given if good else self._complain(name, _without_password(given), expected, default)

    def secret(self, name: str, default: str | None) -> str | None:
        """The variable, or what is in the file that `<NAME>_FILE` names."""
        if given := self._variables.get(name):
            return given
        path = self._variables.get(f"{name}_FILE")
        if not path:
            return default
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            return self._complain(f"{name}_FILE", path, f"the path of a file to read ({error})", default)

    def directory(self, name: str, default: Path) -> Path:
        """A directory of ours, made if it is missing, closed to others."""
        path = Path(self._variables.get(name) or default).expanduser().resolve()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            return self._complain(name, str(path), f"a directory that can be written ({error})", default)
        return path

    def generated_secret(self, data_dir: Path) -> str:
        """The key in the data directory, made at first use. Production names its own."""
        try:
            return kept_secret(data_dir / "secret_key", 50)
        except OSError as error:
            return self._complain("HUB_DATA_DIR", str(data_dir), f"a directory to write in ({error})", "-")

    @staticmethod
    def http_url(host: str, port: int) -> str:
        """The address under which people on this machine reach the hub."""
        name = "localhost" if host in _ANY_HOST or host == "127.0.0.1" else host
        return f"http://{f'[{name}]' if ':' in name else name}:{port}"

    @staticmethod
    def hosts_of(public_url: str) -> list[str]:
        """Host names that requests may name: the public one, and this machine's own."""
        return list(dict.fromkeys([urlsplit(public_url).hostname or "localhost", *_LOCAL_HOSTS]))

    @staticmethod
    def origins_of(public_url: str) -> list[str]:
        """Origins whose pages may open a WebSocket: the public address; on loopback by all its names."""
        parts = urlsplit(public_url)
        port = f":{parts.port}" if parts.port else ""
        origin = f"{parts.scheme}://{parts.netloc}"
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        names = [f"{parts.scheme}://{host}{port}" for host in _LOCAL_HOSTS] if local else []
        return list(dict.fromkeys([origin, *names]))

    @staticmethod
    def database(url: str | None, sqlite_path: Path) -> dict[str, Any]:
        """Django's settings for the registry's database."""
        config: dict[str, Any] = environ.Env.db_url_config(url or f"sqlite:///{sqlite_path}")
        if config["ENGINE"].endswith("sqlite3"):
            # IMMEDIATE: a transaction that turns into a write later fails at once, whatever the time-out.
            config["OPTIONS"] = {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
            }
            # In-memory test databases share one cache, and two threads then lock each other out.
            config["TEST"] = {"NAME": str(Path(config["NAME"]).with_suffix(f".test-{os.getpid()}.sqlite3"))}
        else:
            # The pool looks at each connection before it hands it out, so a restart of the server is
            # not felt by who comes after it.
            pool = {
                "min_size": 0,
                "max_size": DATABASE_CONNECTIONS,
                "timeout": DATABASE_TIMEOUT_S,
                # Given up soon, because who asks next tries again at once: the pool waits ever longer.
                "reconnect_timeout": 1.0,
            }
            config["CONN_MAX_AGE"] = 0
            config["CONN_HEALTH_CHECKS"] = True
            config["OPTIONS"] = {
                **config.get("OPTIONS", {}),
                "pool": pool,
                "connect_timeout": int(DATABASE_TIMEOUT_S),
            }
        return config

    @staticmethod
    def history_url(database_url: str | None, sqlite_path: Path) -> str:
        """Where the history is unless told: in the registry's PostgreSQL if it has one, else in a file."""
        if database_url is None or database_url.startswith("sqlite"):
            return f"sqlite:///{sqlite_path}"
        return database_url

    @staticmethod
    def channel_layers(redis_url: str | None) -> dict[str, dict[str, Any]]:
        """Django's settings for the channel layer: Redis Pub/Sub, or this process's memory."""
        if redis_url is None:
            # Otherwise a suspend of a minute, or a day, takes the relay out of its groups for good.
            forever = {"expiry": 10**9, "group_expiry": 10**9}
            return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": forever}}
        # A frozen Redis would otherwise hold up every send for 5 s.
        host = {"address": redis_url, "socket_timeout": 1, "socket_connect_timeout": 1}
        backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
        return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [host]}}}

    def _complain(self, name: str, given: str, expected: str, default: T) -> T:
        self._complaints.append(f"{name}: {given!r} is not {expected}.")
        return default


def _without_password(url: str) -> str:
    return re.sub(r"//[^@/]*@", "//***@", url)
