"""Device tokens: made, hashed as Mosquitto does it, compared in constant time."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from hub.limits.registry import DEVICE_TOKEN_BYTES

ROUNDS: Final = 101
"""Mosquitto's own number. A token has 256 random bits, so more rounds would protect nothing."""

_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64


def new_token() -> str:
    """256 random bits as URL-safe text; shown once and never stored."""
    return secrets.token_urlsafe(DEVICE_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """`$7$101$salt$hash` with PBKDF2-SHA512: the second field of a line in Mosquitto's password file."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", token.encode(), salt, ROUNDS, _HASH_BYTES)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def matches(token: str, token_hash: str) -> bool:
    """Whether a token is the one that was hashed; False also for a hash that cannot be read."""
    try:
        _, scheme, rounds, salt, digest = token_hash.split("$")
        expected = base64.b64decode(digest, validate=True)
        given = hashlib.pbkdf2_hmac(
            "sha512", token.encode(), base64.b64decode(salt, validate=True), int(rounds), len(expected)
        )
    except (ValueError, OverflowError):
        return False
    return scheme == "7" and hmac.compare_digest(given, expected)
