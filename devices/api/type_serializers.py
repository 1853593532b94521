"""Device types in bodies and answers."""

from typing import Any, Final

from rest_framework import serializers

from devices.api.strict import Number, PageQuery, StrictSerializer
from devices.models import MetricKind, UnknownMetrics
from hub.limits.registry import (
    MAX_DESCRIPTION_CHARS,
    MAX_EXPECTED_INTERVAL_S,
    MAX_NAME_CHARS,
    MAX_PRECISION,
    MAX_RETENTION_DAYS,
    MAX_SEARCH_CHARS,
    MAX_UNIT_CHARS,
    MIN_EXPECTED_INTERVAL_S,
)
from hub.limits.telemetry import MAX_METRIC_KEY_CHARS, MAX_METRICS_PER_TYPE, MAX_TYPE_SLUG_CHARS
from hub.protocol.topics import METRIC_KEY_PATTERN, RESERVED_METRIC_KEYS, TYPE_SLUG_PATTERN

_SLUG_TEXT: Final = (
    "Use lower-case letters, digits and `-`, a letter or digit first, "
    f"at most {MAX_TYPE_SLUG_CHARS} characters. One would be: water-pump"
)
_KEY_TEXT: Final = (
    "Use letters, digits and `_`, a letter first, "
    f"at most {MAX_METRIC_KEY_CHARS} characters. One would be: temperature"
)


class MetricSerializer(StrictSerializer):
    """One thing that devices of a type measure."""

    key = serializers.RegexField(rf"^{METRIC_KEY_PATTERN}\Z", error_messages={"invalid": _KEY_TEXT})
    name = serializers.CharField(max_length=MAX_NAME_CHARS, allow_blank=True, default="")
    kind = serializers.ChoiceField(MetricKind.choices, default=MetricKind.NUMBER.value)
    unit = serializers.CharField(max_length=MAX_UNIT_CHARS, allow_blank=True, default="")
    minimum = Number(allow_null=True, default=None, help_text="numbers below are rejected")
    maximum = Number(allow_null=True, default=None, help_text="numbers above are rejected")
    precision = serializers.IntegerField(
        min_value=0, max_value=MAX_PRECISION, allow_null=True, default=None, help_text="decimals shown"
    )

    def validate_key(self, key: str) -> str:
        if key in RESERVED_METRIC_KEYS:
            reserved = ", ".join(sorted(RESERVED_METRIC_KEYS))
            raise serializers.ValidationError(
                f"{key!r} has a meaning of its own in a payload ({reserved}); choose another key.", "reserved"
            )
        return key

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] != MetricKind.NUMBER:
            for name in ("minimum", "maximum", "precision"):
                if attrs[name] is not None:
                    raise serializers.ValidationError(
                        {name: "Only a number has one; leave it out."}, "invalid"
                    )
        low, high = attrs["minimum"], attrs["maximum"]
        if low is not None and high is not None and low >= high:
            raise serializers.ValidationError(
                {"minimum": f"The minimum ({low:g}) must be below the maximum ({high:g})."}, "invalid"
            )
        return attrs


class DeviceTypeSerializer(StrictSerializer):
    """A kind of device: what its devices measure, and how often a reading is expected."""

    slug = serializers.RegexField(rf"^{TYPE_SLUG_PATTERN}\Z", error_messages={"invalid": _SLUG_TEXT})
    name = serializers.CharField(
        max_length=MAX_NAME_CHARS, required=False, help_text="the slug, when left out"
    )
    description = serializers.CharField(max_length=MAX_DESCRIPTION_CHARS, allow_blank=True, required=False)
    expected_interval_s = Number(
        min_value=MIN_EXPECTED_INTERVAL_S,
        max_value=MAX_EXPECTED_INTERVAL_S,
        allow_null=True,
        required=False,
        help_text="seconds between readings; null: a device is never called silent",
    )
    retention_days = serializers.IntegerField(min_value=1, max_value=MAX_RETENTION_DAYS, required=False)
    unknown_metrics = serializers.ChoiceField(UnknownMetrics.choices, required=False)
    metrics = MetricSerializer(many=True, required=False, max_length=MAX_METRICS_PER_TYPE)  # type: ignore[call-arg]

    def validate_metrics(self, metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
        keys = [metric["key"] for metric in metrics]
        for key in keys:
            if keys.count(key) > 1:
                raise serializers.ValidationError(
                    f"The key {key!r} is there {keys.count(key)} times; each metric has its own.", "duplicate"
                )
        return metrics


class DeviceTypeQuery(PageQuery):
    """Which device types are listed."""

    search = serializers.CharField(
        max_length=MAX_SEARCH_CHARS,
        required=False,
        allow_blank=True,
        help_text="a part of the slug or the name",
    )
