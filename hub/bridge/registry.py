"""What the bridge knows of devices and types: a copy in memory, at most a second old.

The functions named `load_…` ask the database and run in the registry's thread; everything else is
memory and belongs to the loop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from devices.models import Device, DeviceType, RegistryVersion, Tombstone
from devices.shapes import DeviceShape, DeviceTypeShape, device_shape, device_type_shape
from hub.limits.bridge import UNKNOWN_DEVICE_CACHE_S, UNKNOWN_DEVICE_CACHE_SIZE

_DAY_MS: Final = 24 * 3_600_000


class MetricEntry(msgspec.Struct, frozen=True, gc=False):
    """What a value must be to be accepted."""

    key: str
    kind: str
    minimum: float | None
    maximum: float | None


class TypeEntry(msgspec.Struct, frozen=True):
    """A device type as the bridge needs it; metrics are in the type's order."""

    slug: str
    metrics: Mapping[str, MetricEntry]
    expected_interval_s: float | None
    retention_ms: int
    unknown_metrics: str


class DeviceEntry(msgspec.Struct, frozen=True, gc=False):
    """A device as the bridge needs it. `key`: its history key."""

    key: int
    uid: str
    type_slug: str
    enabled: bool


class Changes(msgspec.Struct, frozen=True):
    """What was stamped after some version, up to `version`: entries for us, shapes for browsers."""

    version: int
    types: list[TypeEntry]
    devices: list[DeviceEntry]
    removed: list[DeviceEntry]
    type_shapes: dict[str, DeviceTypeShape]
    device_shapes: dict[str, DeviceShape]
    type_slugs: list[str]


def load_version() -> int:
    """The registry's version now. One indexed row."""
    return RegistryVersion.objects.values_list("value", flat=True).first() or 0


def load_changes(since: int) -> Changes:
    """Everything stamped after `since`. Read after the version, so nothing in between is missed."""
    version = load_version()
    types = list(DeviceType.objects.filter(version__gt=since).prefetch_related("metrics"))
    devices = list(
        Device.objects.filter(version__gt=since).select_related("device_type").prefetch_related("label_set")
    )
    return Changes(
        version=version,
        types=[_type_entry(row) for row in types],
        devices=[_device_entry(row) for row in devices],
        removed=[
            DeviceEntry(row.device_key, row.uid, row.device_type, False)
            for row in Tombstone.objects.filter(version__gt=since)
        ],
        type_shapes={row.slug: device_type_shape(row) for row in types},
        device_shapes={row.uid: device_shape(row) for row in devices},
        type_slugs=list(DeviceType.objects.values_list("slug", flat=True)),
    )


def load_all() -> Changes:
    """Every type and device, for the start of a bridge; without what only browsers need."""
    version = load_version()
    types = DeviceType.objects.prefetch_related("metrics")
    entries = Device.objects.values_list("pk", "uid", "device_type__slug", "enabled")
    return Changes(
        version=version,
        types=[_type_entry(row) for row in types],
        devices=[DeviceEntry(*row) for row in entries.iterator()],
        removed=[],
        type_shapes={},
        device_shapes={},
        type_slugs=[row.slug for row in types],
    )


def _type_entry(row: DeviceType) -> TypeEntry:
    return TypeEntry(
        slug=row.slug,
        metrics={m.key: MetricEntry(m.key, m.kind, m.minimum, m.maximum) for m in row.metrics.all()},
        expected_interval_s=row.expected_interval_s,
        retention_ms=row.retention_days * _DAY_MS,
        unknown_metrics=row.unknown_metrics,
    )


def _device_entry(row: Device) -> DeviceEntry:
    return DeviceEntry(row.pk, row.uid, row.device_type.slug, row.enabled)


@dataclass(slots=True)
class Registry:
    """The copy in memory. Ids that were looked up in vain are remembered for a second."""

    version: int = 0
    types: dict[str, TypeEntry] = field(default_factory=dict)
    devices: dict[str, DeviceEntry] = field(default_factory=dict)
    _unknown_until_s: dict[str, float] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Take over what changed. A device that was deleted and made again keeps the new entry."""
        for entry in changes.removed:
            held = self.devices.get(entry.uid)
            if held is not None and held.key == entry.key:
                del self.devices[entry.uid]
        for type_entry in changes.types:
            self.types[type_entry.slug] = type_entry
        for slug in self.types.keys() - set(changes.type_slugs):
            del self.types[slug]
        for entry in changes.devices:
            self.devices[entry.uid] = entry
            self._unknown_until_s.pop(entry.uid, None)
        self.version = max(self.version, changes.version)

    def to_look_up(self, uids: Iterable[str], now_s: float) -> set[str]:
        """Those ids that are not known and were not asked for within the last second."""
        unknown = {uid for uid in uids if uid not in self.devices}
        return {uid for uid in unknown if self._unknown_until_s.get(uid, 0.0) <= now_s}

    def remember_unknown(self, uids: Iterable[str], now_s: float) -> None:
        """These were looked up and do not exist; do not ask again for a second."""
        if len(self._unknown_until_s) > UNKNOWN_DEVICE_CACHE_SIZE:
            self._unknown_until_s.clear()
        for uid in uids:
            if uid not in self.devices:
                self._unknown_until_s[uid] = now_s + UNKNOWN_DEVICE_CACHE_S
