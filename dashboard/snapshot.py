"""How things are now: a device type, its devices, their states and newest values. Reads the database.

Everything here is synchronous and is called in a thread.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec
from django.db.models import OuterRef, Subquery

from dashboard.messages import TypeCounts
from devices.access import Viewer
from devices.models import Device, DeviceState, DeviceType, State
from devices.presence_of import Presence, presence_of
from devices.shapes import device_shape, device_type_shape
from hub.history.store import HistoryStore, Latest
from hub.limits.live import SNAPSHOT_DEVICES_PER_PART


class SnapshotParts(msgspec.Struct, frozen=True):
    """A device type, encoded, and its devices, encoded, in parts. There is at least one part."""

    device_type: msgspec.Raw
    parts: list[list[msgspec.Raw]]


def read_snapshot(
    viewer: Viewer, history: HistoryStore, slug: str, wanted: AbstractSet[str] | None
) -> SnapshotParts | None:
    """The type and the devices that the viewer may see, by id; None for a type that is not to be seen.

    `wanted`: only devices with these ids.
    """
    device_type = viewer.device_types().filter(slug=slug).prefetch_related("metrics").first()
    if device_type is None:
        return None
    query = viewer.devices().filter(device_type__slug=slug).order_by("uid").prefetch_related("label_set")
    if wanted is not None:
        query = query.filter(uid__in=wanted)
    devices = list(query)
    size = SNAPSHOT_DEVICES_PER_PART
    starts = range(0, max(1, len(devices)), size)
    return SnapshotParts(
        device_type=msgspec.Raw(msgspec.json.encode(device_type_shape(device_type))),
        parts=[_read_part(history, devices[start : start + size]) for start in starts],
    )


def _read_part(history: HistoryStore, devices: Sequence[Device]) -> list[msgspec.Raw]:
    keys = [device.pk for device in devices]
    latest = history.latest(keys)
    presence = presence_of(keys)
    return [_encode(device, presence[device.pk], latest.get(device.pk)) for device in devices]


def _encode(device: Device, presence: Presence, latest: Latest | None) -> msgspec.Raw:
    shape = {
        **device_shape(device),
        "state": presence.state,
        "since_ms": presence.since_ms,
        "because": presence.because,
        "received_ms": latest.received_ms if latest else None,
        "seq": latest.seq if latest else None,
        "values": latest.values if latest else {},
    }
    return msgspec.Raw(msgspec.json.encode(shape))


def read_counts(slugs: AbstractSet[str]) -> dict[str, TypeCounts]:
    """How many devices of each type are in which state, from their transitions."""
    states = DeviceState.objects.filter(device=OuterRef("pk")).order_by("-id").values("state")[:1]
    rows = (
        Device.objects.filter(device_type__slug__in=slugs)
        .annotate(newest=Subquery(states))
        .values_list("device_type__slug", "newest")
    )
    counts: dict[str, dict[str, int]] = {slug: {} for slug in slugs}
    for slug, state in rows:
        of_type = counts[slug]
        name = state or State.NEVER.value
        of_type[name] = of_type.get(name, 0) + 1
    return {slug: msgspec.convert(found, TypeCounts) for slug, found in counts.items()}


def read_slugs() -> frozenset[str]:
    """The device types there are."""
    return frozenset(DeviceType.objects.values_list("slug", flat=True))
