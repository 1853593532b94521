"""Django finds the models of the app here; each room below says who writes it."""

from devices.models.activity import DeviceState, Rejection, State
from devices.models.bridges import BridgeReport
from devices.models.registry import (
    Credential,
    Device,
    DeviceType,
    Label,
    Metric,
    MetricKind,
    RegistryVersion,
    Tombstone,
    UnknownMetrics,
)

__all__ = [
    "BridgeReport",
    "Credential",
    "Device",
    "DeviceState",
    "DeviceType",
    "Label",
    "Metric",
    "MetricKind",
    "RegistryVersion",
    "Rejection",
    "State",
    "Tombstone",
    "UnknownMetrics",
]
