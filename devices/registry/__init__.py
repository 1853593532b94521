"""The only writer of the registry: device types, metrics, devices, labels and credentials.

Each function is one transaction. It takes the lock of the one RegistryVersion row first, so that
writers wait for each other and versions commit in order; it stamps the new version on what changed,
and a deleted device leaves a tombstone. What changes nothing leaves the version as it is.
"""

from devices.registry.changes import RegistryConflictError, current_version
from devices.registry.device_types import (
    DeviceTypeFields,
    MetricFields,
    create_device_type,
    delete_device_type,
    learn_metric,
    update_device_type,
)
from devices.registry.devices import (
    DeviceFields,
    create_device,
    delete_device,
    issue_token,
    update_device,
)

__all__ = [
    "DeviceFields",
    "DeviceTypeFields",
    "MetricFields",
    "RegistryConflictError",
    "create_device",
    "create_device_type",
    "current_version",
    "delete_device",
    "delete_device_type",
    "issue_token",
    "learn_metric",
    "update_device",
    "update_device_type",
]
