"""Who may sign in to the embedded broker: the registry's tokens in memory, at most half a second old."""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from devices.credentials import matches
from hub.broker.rules import is_bridge
from hub.limits.broker import EMBEDDED_VERIFIED_TOKENS
from hub.protocol.topics import DEVICE_ID_PATTERN

T = TypeVar("T")

BRIDGE_SIGNED_IN: Final = "bridge"
_DEVICE_ID = re.compile(DEVICE_ID_PATTERN)


class Token(NamedTuple):
    """A token as the registry keeps it. `expires_at` in Unix seconds; None: never."""

    token_hash: str
    expires_at: float | None = None


class Account(NamedTuple):
    """A device as far as a broker cares."""

    enabled: bool
    tokens: tuple[Token, ...]

    def has(self, token_hash: str, now: float) -> bool:
        return self.enabled and any(token.token_hash == token_hash for token in self.valid(now))

    def valid(self, now: float) -> list[Token]:
        """Tokens that have not expired; newest first, as they were given."""
        return [token for token in self.tokens if token.expires_at is None or token.expires_at > now]


Table = dict[str, Account]


class Registry(NamedTuple):
    """Where accounts come from. All of it is called in one thread of its own, and may block."""

    version: Callable[[], int]
    everything: Callable[[], Table]
    one: Callable[[str], Account | None]
    close: Callable[[], None]


class Accounts:
    """The accounts of all devices and of the bridges, and what was already verified."""

    def __init__(
        self, registry: Registry, bridge_password: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._registry = registry
        self._bridge_password = bridge_password
        self._clock = clock
        self._table: Table = {}
        self._version: int | None = None
        self._verified: dict[tuple[str, bytes], str] = {}
        # One thread: answers come in the order of the questions; an old table never replaces a newer row.
        self._thread = ThreadPoolExecutor(1, "broker-registry")

    async def refresh(self) -> None:
        """Take the registry over if it has changed. Raises what the database raises; the old table stays."""
        version = await self._ask(self._registry.version)
        if version != self._version:
            self._table = await self._ask(self._registry.everything)
            self._version = version

    async def close(self) -> None:
        await self._ask(self._registry.close)
        self._thread.shutdown()

    async def sign_in(self, username: str | None, password: str | None) -> str | None:
        """What the account signed in with, to be asked about later with `is_valid`; None: refused.

        Who is not known, or comes with another token than the known one, is looked up at once: it may
        have been registered a moment ago. Raises what the database raises.
        """
        if not username or password is None:
            return None
        if is_bridge(username):
            same = hmac.compare_digest(password.encode(), self._bridge_password.encode())
            return BRIDGE_SIGNED_IN if same else None
        if _DEVICE_ID.fullmatch(username) is None:
            return None
        if token_hash := self._verify(username, password):
            return token_hash
        account = await self._ask(self._registry.one, username)
        if account is None:
            return None
        self._table[username] = account
        return self._verify(username, password)

    def is_valid(self, username: str, token_hash: str) -> bool:
        """Whether what an account signed in with is still good: enabled, not rotated, not expired."""
        if is_bridge(username):
            return True
        account = self._table.get(username)
        return account is not None and account.has(token_hash, self._clock())

    def is_known(self, username: str) -> bool:
        """False once a device has been deleted."""
        return is_bridge(username) or username in self._table

    def _verify(self, username: str, password: str) -> str | None:
        account = self._table.get(username)
        if account is None or not account.enabled:
            return None
        now = self._clock()
        # Optimization: after an outage everybody returns at once; this is 2 us instead of 170 us each.
        key = (username, hashlib.sha256(password.encode()).digest())
        known = self._verified.get(key)
        if known is not None and account.has(known, now):
            return known
        for token in account.valid(now):
            if matches(password, token.token_hash):
                self._remember(key, token.token_hash)
                return token.token_hash
        return None

    def _remember(self, key: tuple[str, bytes], token_hash: str) -> None:
        if len(self._verified) >= EMBEDDED_VERIFIED_TOKENS:
            self._verified.clear()
        self._verified[key] = token_hash

    async def _ask(self, question: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, *arguments)
