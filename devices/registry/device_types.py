"""Device types and their metrics, written."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Required, TypedDict, Unpack

from django.db import transaction

from devices.models import DeviceType, Metric
from devices.registry.changes import RegistryConflictError, assign, lock, next_version
from devices.shapes import metric_shape
from hub.history.opening import get_history
from hub.limits.registry import METRIC_DATA_DEVICES_PER_QUERY
from hub.limits.telemetry import MAX_METRICS_PER_TYPE

_METRIC_DEFAULTS: Final[dict[str, Any]] = {
    "name": "",
    "kind": "number",
    "unit": "",
    "minimum": None,
    "maximum": None,
    "precision": None,
}


class MetricFields(TypedDict, total=False):
    """A metric as it is asked for; what is left out has its default."""

    key: Required[str]
    name: str
    kind: str
    unit: str
    minimum: float | None
    maximum: float | None
    precision: int | None


class DeviceTypeFields(TypedDict, total=False):
    """What can be changed on a device type, besides its metrics."""

    name: str
    description: str
    expected_interval_s: float | None
    retention_days: int
    unknown_metrics: str


@transaction.atomic
def create_device_type(
    slug: str, *, metrics: Sequence[MetricFields] = (), **fields: Unpack[DeviceTypeFields]
) -> DeviceType:
    """A new type with its metrics in order. RegistryConflictError `already_exists`."""
    version = lock()
    if DeviceType.objects.filter(slug=slug).exists():
        raise RegistryConflictError(
            "already_exists", f"There is a device type {slug!r} already; choose another slug.", "slug"
        )
    device_type = DeviceType(slug=slug, **{"name": slug, **fields})
    device_type.version = next_version(version)
    device_type.clean_fields()
    device_type.save()
    _write_metrics(device_type, [_complete(metric) for metric in metrics])
    return device_type


@transaction.atomic
def update_device_type(
    slug: str, *, metrics: Sequence[MetricFields] | None = None, **changes: Unpack[DeviceTypeFields]
) -> DeviceType:
    """Change a type. `metrics` replaces the list, matched by key. DeviceType.DoesNotExist.

    RegistryConflictError `metric_has_data`: a metric with readings would go or change its kind.
    """
    version = lock()
    device_type = DeviceType.objects.get(slug=slug)
    changed = assign(device_type, changes)
    if metrics is not None:
        changed = _replace_metrics(device_type, [_complete(metric) for metric in metrics]) or changed
    if changed:
        device_type.version = next_version(version)
        device_type.clean_fields()
        device_type.save()
    return device_type


@transaction.atomic
def delete_device_type(slug: str) -> None:
    """Remove a type without devices. RegistryConflictError `has_devices`; DeviceType.DoesNotExist."""
    version = lock()
    device_type = DeviceType.objects.get(slug=slug)
    count = device_type.devices.count()
    if count:
        raise RegistryConflictError(
            "has_devices",
            f"The device type {slug!r} still has {count} device{'s' if count > 1 else ''}; "
            "delete or move them first.",
        )
    device_type.delete()
    next_version(version)


@transaction.atomic
def learn_metric(type_slug: str, key: str, kind: str) -> Metric | None:
    """The metric of a type, added at the end if it was missing; None if the type is gone or full."""
    version = lock()
    device_type = DeviceType.objects.filter(slug=type_slug).first()
    if device_type is None:
        return None
    known = list(device_type.metrics.all())
    for metric in known:
        if metric.key == key:
            return metric
    if len(known) >= MAX_METRICS_PER_TYPE:
        return None
    position = max((metric.position for metric in known), default=-1) + 1
    metric = Metric(device_type=device_type, key=key, kind=kind, position=position)
    metric.clean_fields(exclude=["device_type"])
    metric.save()
    device_type.version = next_version(version)
    device_type.save(update_fields=["version"])
    return metric


def _complete(metric: MetricFields) -> dict[str, Any]:
    return {**_METRIC_DEFAULTS, **metric}


def _replace_metrics(device_type: DeviceType, wanted: list[dict[str, Any]]) -> bool:
    """Make the type's metrics the wanted ones; whether they were others before."""
    current = [dict(metric_shape(metric)) for metric in device_type.metrics.all()]
    if current == wanted:
        return False
    kinds: dict[str, str] = {metric["key"]: metric["kind"] for metric in wanted}
    endangered = {
        key for key, kind in device_type.metrics.values_list("key", "kind") if kinds.get(key) != kind
    }
    with_data = _with_data(device_type, endangered)
    if with_data:
        raise RegistryConflictError(
            "metric_has_data",
            f"Devices have readings of {', '.join(sorted(with_data))}, so it can neither be removed "
            "nor change its kind; add a metric with another key instead.",
            "metrics",
        )
    device_type.metrics.exclude(key__in=kinds).delete()
    _write_metrics(device_type, wanted)
    return True


def _with_data(device_type: DeviceType, keys: Iterable[str]) -> set[str]:
    """Which of the metrics have a value on a device; the first device that has any decides."""
    wanted = set(keys)
    if not wanted:
        return set()
    devices = list(device_type.devices.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(devices), METRIC_DATA_DEVICES_PER_QUERY):
        part = devices[start : start + METRIC_DATA_DEVICES_PER_QUERY]
        for latest in get_history().latest(part).values():
            if found := wanted & latest.values.keys():
                return found
    return set()


def _write_metrics(device_type: DeviceType, wanted: list[dict[str, Any]]) -> None:
    rows = [Metric(device_type=device_type, position=at, **metric) for at, metric in enumerate(wanted)]
    for row in rows:
        row.clean_fields(exclude=["device_type"])
    Metric.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["device_type", "key"],
        update_fields=[*_METRIC_DEFAULTS, "position"],
    )
