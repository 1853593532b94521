"""The device registry as brokers need it, read by the ORM. Blocking: called in threads only."""

from django.db import close_old_connections, connections

from devices.models import Credential, Device
from devices.registry import current_version
from hub.broker.accounts import Account, Registry, Table, Token


def version() -> int:
    """The number that every change of the registry raises."""
    close_old_connections()
    return current_version()


def everything() -> Table:
    """All devices with their tokens, newest first."""
    tokens: dict[int, list[Token]] = {}
    rows = Credential.objects.order_by("-id").values_list("device_id", "token_hash", "expires_at")
    for device, token_hash, expires_at in rows.iterator():
        tokens.setdefault(device, []).append(
            Token(token_hash, expires_at.timestamp() if expires_at else None)
        )
    devices = Device.objects.values_list("id", "uid", "enabled")
    return {uid: Account(enabled, tuple(tokens.get(key, ()))) for key, uid, enabled in devices.iterator()}


def one(uid: str) -> Account | None:
    """One device, as it is now; None if there is none."""
    close_old_connections()
    device = Device.objects.filter(uid=uid).values_list("id", "enabled").first()
    if device is None:
        return None
    key, enabled = device
    rows = Credential.objects.filter(device=key).order_by("-id").values_list("token_hash", "expires_at")
    tokens = tuple(Token(token_hash, at.timestamp() if at else None) for token_hash, at in rows)
    return Account(enabled, tokens)


def registry() -> Registry:
    return Registry(version, everything, one, connections.close_all)
