"""What the bridge knows of devices: presence transitions, their clocks, rejections and replays.

Written by the bridge; only a replay is asked for by a person, with a row that the bridge takes.
"""

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


class DeviceClock(models.Model):
    """How far a device's clock is off, as its live readings show. No row: it never was.

    `skew_ms`: above zero it is ahead of the hub. Written when it changed by more than a second.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="clock")
    skew_ms = models.BigIntegerField()
    at_ms = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.skew_ms} ms at {self.at_ms}"


class Rejection(models.Model):
    """What was refused of one device, for one reason and metric, within 10 minutes.

    `uid` and `device_type` are what the topic said; `device` is null when no such device is known.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="rejections")
    uid = models.CharField(max_length=MAX_DEVICE_ID_CHARS)
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
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["-last_ms", "-id"], name="rejection_newest"),
            models.Index(fields=["uid", "-last_ms", "-id"], name="rejection_newest_of_device"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["uid", "device_type", "reason", "metric", "window_ms"],
                name="rejection_once_in_window",
            )
        ]

    def __str__(self) -> str:
        return f"{self.uid}: {self.reason} x {self.count}"


class Replay(models.Model):
    """A rejected payload that somebody asked to be taken once more, and what became of it.

    `payload` and `arrived_ms` are what the rejection held when it was asked for. `outcome` is empty
    until the bridge has dealt with it; the counts are those of the readings in the payload.
    """

    class Outcome(models.TextChoices):
        STORED = "stored"
        UPDATED = "updated"
        DUPLICATE = "duplicate"
        REJECTED = "rejected"

    rejection = models.OneToOneField(Rejection, on_delete=models.CASCADE, related_name="replay")
    payload = models.BinaryField(help_text="emptied once it was taken")
    arrived_ms = models.BigIntegerField()
    requested_ms = models.BigIntegerField()
    taken_ms = models.BigIntegerField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    reason = models.CharField(max_length=32, blank=True)
    detail = models.TextField(blank=True)
    stored = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    duplicate = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["id"], condition=models.Q(outcome=""), name="replay_waiting")
        ]

    def __str__(self) -> str:
        return f"replay of {self.rejection_id}: {self.outcome or 'waiting'}"
