"""Django finds the models of the app here; each room below says who writes it."""

from devices.models.activity import DeviceClock, DeviceState, Rejection, Replay, State
from devices.models.bridges import BridgeLease, BridgeReport
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
    "BridgeLease",
    "BridgeReport",
    "Credential",
    "Device",
    "DeviceClock",
    "DeviceState",
    "DeviceType",
    "Label",
    "Metric",
    "MetricKind",
    "RegistryVersion",
    "Rejection",
    "Replay",
    "State",
    "Tombstone",
    "UnknownMetrics",
]
