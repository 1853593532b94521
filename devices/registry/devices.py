"""Devices, their labels and their tokens, written."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from devices.credentials import hash_token, new_token
from devices.models import Credential, Device, DeviceType, Label, Tombstone
from devices.registry.changes import RegistryConflictError, assign, lock, next_version
from hub.history.opening import get_history

_BROKERS_WITH_OVERLAP: Final = frozenset({"embedded", "emqx"})


class DeviceFields(TypedDict, total=False):
    """What can be changed on a device, besides its type. `labels` replaces all of them."""

    name: str
    labels: Mapping[str, str]
    enabled: bool
    latitude: float | None
    longitude: float | None


@transaction.atomic
def create_device(uid: str, device_type: str, **fields: Unpack[DeviceFields]) -> tuple[Device, str]:
    """A new device of the type `device_type` (a slug), and its token, which is not kept.

    RegistryConflictError `already_exists`; DeviceType.DoesNotExist.
    """
    version = lock()
    if Device.objects.filter(uid=uid).exists():
        raise RegistryConflictError(
            "already_exists",
            f"There is a device {uid!r} already; choose another id, or PATCH that one.",
            "id",
        )
    device = Device(uid=uid, device_type=DeviceType.objects.get(slug=device_type))
    labels = fields.pop("labels", {})
    assign(device, fields)
    device.version = next_version(version)
    device.clean_fields(exclude=["device_type"])
    device.save()
    _write_labels(device, labels)
    return device, _add_token(device)


@transaction.atomic
def update_device(
    device: Device, *, device_type: str | None = None, **changes: Unpack[DeviceFields]
) -> Device:
    """Change a device; returns it as it is now. Device.DoesNotExist, DeviceType.DoesNotExist.

    RegistryConflictError `has_readings`: its type changes only while it has none.
    """
    version = lock()
    device = Device.objects.select_related("device_type").get(pk=device.pk)
    labels = changes.pop("labels", None)
    changed = assign(device, changes)
    if device_type is not None and device_type != device.device_type.slug:
        _move(device, DeviceType.objects.get(slug=device_type))
        changed = True
    if labels is not None and dict(labels) != dict(device.label_set.values_list("key", "value")):
        device.label_set.all().delete()
        _write_labels(device, labels)
        changed = True
    if changed:
        device.version = next_version(version)
        device.clean_fields(exclude=["device_type"])
        device.save()
    return device


@transaction.atomic
def delete_device(device: Device) -> None:
    """Remove a device; its readings go in the background, for which the tombstone stands."""
    version = lock()
    device = Device.objects.select_related("device_type").get(pk=device.pk)
    Tombstone.objects.create(
        device_key=device.pk,
        uid=device.uid,
        device_type=device.device_type.slug,
        version=next_version(version),
    )
    device.delete()


@transaction.atomic
def issue_token(device: Device, grace_s: float = 0) -> str:
    """A new token. The one before ends now, or works for `grace_s` more seconds where the broker can.

    RegistryConflictError `overlap_not_supported`: this broker knows one password a device.
    """
    if grace_s > 0 and settings.HUB_BROKER not in _BROKERS_WITH_OVERLAP:
        raise RegistryConflictError(
            "overlap_not_supported",
            f"With HUB_BROKER={settings.HUB_BROKER} a device has one password at a time; leave grace_s out.",
            "grace_s",
        )
    version = lock()
    device = Device.objects.get(pk=device.pk)
    outgoing = device.credentials.filter(expires_at=None) if grace_s > 0 else device.credentials.none()
    # Never more than two: what was already on its way out goes now.
    device.credentials.exclude(pk__in=outgoing.values("pk")).delete()
    outgoing.update(expires_at=timezone.now() + dt.timedelta(seconds=grace_s))
    device.version = next_version(version)
    device.save(update_fields=["version"])
    return _add_token(device)


def _move(device: Device, device_type: DeviceType) -> None:
    if get_history().has_readings(device.pk):
        raise RegistryConflictError(
            "has_readings",
            f"The device {device.uid!r} has readings, which belong to the type {device.device_type.slug!r}; "
            "register it anew under another id instead.",
            "device_type",
        )
    device.device_type = device_type


def _write_labels(device: Device, labels: Mapping[str, str]) -> None:
    Label.objects.bulk_create(Label(device=device, key=key, value=value) for key, value in labels.items())


def _add_token(device: Device) -> str:
    token = new_token()
    Credential.objects.create(device=device, token_hash=hash_token(token))
    return token
