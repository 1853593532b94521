"""The registry: which device types, metrics and devices there are. Written by `devices.registry` only."""

from typing import ClassVar

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from hub.limits.telemetry import MAX_DEVICE_ID_CHARS, MAX_METRIC_KEY_CHARS, MAX_TYPE_SLUG_CHARS
from hub.protocol.topics import (
    DEVICE_ID_PATTERN,
    METRIC_KEY_PATTERN,
    RESERVED_METRIC_KEYS,
    TYPE_SLUG_PATTERN,
)


class UnknownMetrics(models.TextChoices):
    """What happens to a value whose metric the type does not know."""

    REJECT = "reject", "reject the value"
    IGNORE = "ignore", "ignore the value"
    LEARN = "learn", "add the metric"


class MetricKind(models.TextChoices):
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"


class DeviceType(models.Model):
    """A kind of device: what its devices measure, and how often a reading is expected."""

    slug = models.CharField(
        max_length=MAX_TYPE_SLUG_CHARS,
        unique=True,
        validators=[
            RegexValidator(
                rf"^{TYPE_SLUG_PATTERN}\Z", "Use lower-case letters, digits and `-`, a letter or digit first."
            )
        ],
    )
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    expected_interval_s = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.01)])
    retention_days = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1)])
    unknown_metrics = models.CharField(
        max_length=10, choices=UnknownMetrics.choices, default=UnknownMetrics.REJECT
    )
    version = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Metric(models.Model):
    """One thing that devices of a type measure."""

    device_type = models.ForeignKey(DeviceType, on_delete=models.CASCADE, related_name="metrics")
    key = models.CharField(
        max_length=MAX_METRIC_KEY_CHARS,
        validators=[
            RegexValidator(
                rf"^(?!({'|'.join(sorted(RESERVED_METRIC_KEYS))})\Z){METRIC_KEY_PATTERN}\Z",
                "Use letters, digits and `_`, a letter first; not ts, seq, values.",
            )
        ],
    )
    name = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=10, choices=MetricKind.choices, default=MetricKind.NUMBER)
    unit = models.CharField(max_length=20, blank=True)
    minimum = models.FloatField(null=True, blank=True)
    maximum = models.FloatField(null=True, blank=True)
    precision = models.PositiveSmallIntegerField(null=True, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device_type", "key"], name="metric_key_unique_in_type")
        ]

    def __str__(self) -> str:
        return self.key


class Device(models.Model):
    """One device. `id` is its history key and never reused; `uid` is its id on every wire."""

    uid = models.CharField(
        max_length=MAX_DEVICE_ID_CHARS,
        unique=True,
        validators=[
            RegexValidator(
                rf"^{DEVICE_ID_PATTERN}\Z", "Use letters, digits, `_` and `-`, a letter or digit first."
            )
        ],
    )
    device_type = models.ForeignKey(DeviceType, on_delete=models.PROTECT, related_name="devices")
    name = models.CharField(max_length=100, blank=True)
    enabled = models.BooleanField(default=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    version = models.BigIntegerField(default=0, editable=False, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["uid"]

    def __str__(self) -> str:
        return self.uid


class Label(models.Model):
    """A `key: value` by which devices are found."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="label_set")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=128)

    class Meta:
        ordering: ClassVar[list[str]] = ["key"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["device", "key"], name="label_key_unique_in_device")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["key", "value"])]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"


class Credential(models.Model):
    """A device's token, as the hash that Mosquitto's password file uses (`$7$rounds$salt$hash`)."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="credentials")
    token_hash = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"token of {self.device_id}"


class RegistryVersion(models.Model):
    """One row: bumped by every change of the registry, in the same transaction."""

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)


class Tombstone(models.Model):
    """A device that was deleted: its readings go in the background, its id may be taken again."""

    device_key = models.BigIntegerField(unique=True)
    uid = models.CharField(max_length=MAX_DEVICE_ID_CHARS)
    device_type = models.CharField(max_length=MAX_TYPE_SLUG_CHARS)
    version = models.BigIntegerField(db_index=True)
    deleted_at = models.DateTimeField(auto_now_add=True)
    purged_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.uid} (deleted)"
