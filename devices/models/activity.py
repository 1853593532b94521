"""What the bridge knows of devices: presence transitions and rejections. Written by the bridge only."""

from typing import ClassVar

from django.db import models

from devices.models.registry import Device
from hub.limits.telemetry import MAX_DEVICE_ID_CHARS, MAX_METRIC_KEY_CHARS, MAX_TYPE_SLUG_CHARS


class State(models.TextChoices):
    NEVER = "never"
    ONLINE = "online"
    SILENT = "silent"
    OFFLINE = "offline"


class DeviceState(models.Model):
    """One transition of a device's presence. The newest row is its state; none is `never`."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="states")
    state = models.CharField(max_length=10, choices=State.choices)
    since_ms = models.BigIntegerField()
    because = models.CharField(max_length=32)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["device", "-id"])]

    def __str__(self) -> str:
        return f"{self.state} since {self.since_ms}"


class Rejection(models.Model):
    """What was refused of one device, for one reason and metric, within 10 minutes.

    `uid` and `device_type` are what the topic said; `device` is null when no such device is known.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="rejections")
    uid = models.CharField(max_length=MAX_DEVICE_ID_CHARS, db_index=True)
    device_type = models.CharField(max_length=MAX_TYPE_SLUG_CHARS)
    reason = models.CharField(max_length=32, db_index=True)
    metric = models.CharField(max_length=MAX_METRIC_KEY_CHARS, blank=True)
    window_ms = models.BigIntegerField(help_text="start of the 10 minutes, Unix ms")
    count = models.BigIntegerField(default=0)
    detail = models.TextField(blank=True)
    payload = models.BinaryField(help_text="the newest payload, whole, up to 64 KiB")
    first_ms = models.BigIntegerField()
    last_ms = models.BigIntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-last_ms", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["uid", "device_type", "reason", "metric", "window_ms"],
                name="rejection_once_in_window",
            )
        ]

    def __str__(self) -> str:
        return f"{self.uid}: {self.reason} x {self.count}"
