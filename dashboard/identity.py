"""Who is at the other end of a socket, and whether that still holds. Reads the database."""

from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework.exceptions import AuthenticationFailed

from devices.access import Viewer
from hub.accounts.authentication import ApiTokenAuthentication
from hub.accounts.models import ApiToken, User


class Identity(msgspec.Struct, frozen=True):
    """How a socket signed in: with a session, or with an API token (its digest)."""

    session_key: str | None = None
    token_digest: str | None = None


class Rights(NamedTuple):
    """What a socket may see: who looks, and the device types that were visible just now."""

    viewer: Viewer
    slugs: frozenset[str]


def rights_of(identity: Identity) -> Rights | None:
    """What this identity may see now, None when it has ended."""
    user = user_of(identity)
    if user is None:
        return None
    viewer = Viewer(user)
    return Rights(viewer, frozenset(viewer.device_types().values_list("slug", flat=True)))


def user_of(identity: Identity) -> User | None:
    """The user, None when the session or the token has ended or the user may not sign in."""
    if identity.session_key is not None:
        return user_of_session(identity.session_key)
    token = ApiToken.objects.select_related("user").filter(digest=identity.token_digest).first()
    if token is None or (token.expiry is not None and token.expiry < timezone.now()):
        return None
    return token.user if token.user.is_active else None


def user_of_session(session_key: str) -> User | None:
    """The user of a session. Unlike Django's own it only reads: a socket cannot set a cookie."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    backend_path = session.get(BACKEND_SESSION_KEY)
    if backend_path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = load_backend(backend_path).get_user(session[SESSION_KEY])
    if not isinstance(user, User):
        return None
    known = session.get(HASH_SESSION_KEY, "")
    hashes: Iterable[str] = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(known, each) for each in hashes) else None


def identity_of_token(token: str) -> Identity | None:
    """The identity of an API token, None when it is wrong or has expired."""
    try:
        _, found = ApiTokenAuthentication().authenticate_credentials(token.encode())
    except (AuthenticationFailed, UnicodeError):
        return None
    return Identity(token_digest=found.digest)
