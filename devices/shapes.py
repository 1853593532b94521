"""Device types and devices as JSON: one shape for snapshots, frames and answers."""

from typing import TypedDict

from devices.models import Device, DeviceType, Metric


class MetricShape(TypedDict):
    key: str
    name: str
    kind: str
    unit: str
    minimum: float | None
    maximum: float | None
    precision: int | None


class DeviceTypeShape(TypedDict):
    slug: str
    name: str
    description: str
    expected_interval_s: float | None
    retention_days: int
    unknown_metrics: str
    metrics: list[MetricShape]


class DeviceShape(TypedDict):
    id: str
    name: str
    labels: dict[str, str]
    enabled: bool
    latitude: float | None
    longitude: float | None


def metric_shape(metric: Metric) -> MetricShape:
    return {
        "key": metric.key,
        "name": metric.name,
        "kind": metric.kind,
        "unit": metric.unit,
        "minimum": metric.minimum,
        "maximum": metric.maximum,
        "precision": metric.precision,
    }


def device_type_shape(device_type: DeviceType) -> DeviceTypeShape:
    """A type with its metrics in order; prefetch `metrics` for many."""
    return {
        "slug": device_type.slug,
        "name": device_type.name,
        "description": device_type.description,
        "expected_interval_s": device_type.expected_interval_s,
        "retention_days": device_type.retention_days,
        "unknown_metrics": device_type.unknown_metrics,
        "metrics": [metric_shape(metric) for metric in device_type.metrics.all()],
    }


def device_shape(device: Device) -> DeviceShape:
    """A device with its labels; prefetch `label_set` for many."""
    return {
        "id": device.uid,
        "name": device.name,
        "labels": {label.key: label.value for label in device.label_set.all()},
        "enabled": device.enabled,
        "latitude": device.latitude,
        "longitude": device.longitude,
    }
