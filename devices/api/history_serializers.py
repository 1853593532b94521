"""Queries and answers about what devices sent."""

import time
from typing import Any

from rest_framework import serializers

from devices.api.strict import Moment, PageQuery, StrictSerializer, Words, one_of
from devices.models import Replay
from hub.limits.history import READ_POINTS_DEFAULT, READ_POINTS_MAX
from hub.limits.registry import READINGS_DEFAULT_RANGE_MS, REJECTIONS_PAGE_SIZE_MAX
from hub.limits.telemetry import MAX_DEVICE_ID_CHARS


class ValueSerializer(serializers.Serializer[None]):
    value = serializers.JSONField(help_text="number, boolean or text, as the metric's kind says")
    ts = serializers.DateTimeField(help_text="when it was measured")


class LatestSerializer(serializers.Serializer[None]):
    """The newest value of each metric, by measured time."""

    device = serializers.CharField()
    values = serializers.DictField(child=ValueSerializer())
    received = serializers.DateTimeField(allow_null=True, help_text="when the newest reading arrived")


class ReadingsQuery(StrictSerializer):
    """Which readings: `from` <= ts < `to`. `context["known"]`: the keys of the type's metrics."""

    metrics = Words(required=False, help_text="comma-separated keys; all, when left out")
    points = serializers.IntegerField(
        min_value=1,
        max_value=READ_POINTS_MAX,
        default=READ_POINTS_DEFAULT,
        help_text="at most this many entries (not for text/csv)",
    )
    format = serializers.ChoiceField(["json", "csv"], required=False, help_text="csv: as Accept: text/csv")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        # `from` cannot be the name of an attribute.
        fields["from"] = Moment(required=False, help_text="Unix ms or ISO 8601; 24 h before `to`")
        fields["to"] = Moment(required=False, help_text="Unix ms or ISO 8601; now, when left out")
        return fields

    def validate_metrics(self, keys: list[str]) -> list[str]:
        known = self.context["known"]
        for key in keys:
            if key not in known:
                raise serializers.ValidationError(one_of(key, known), "unknown")
        return keys

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        to_ms = attrs.get("to", time.time_ns() // 1_000_000)
        from_ms = attrs.get("from", max(0, to_ms - READINGS_DEFAULT_RANGE_MS))
        if from_ms >= to_ms:
            raise serializers.ValidationError({"from": "`from` must be earlier than `to`."}, "invalid")
        return {
            "from_ms": from_ms,
            "to_ms": to_ms,
            "metrics": attrs.get("metrics") or list(self.context["known"]),
            "points": attrs["points"],
        }


class ColumnSerializer(serializers.Serializer[None]):
    """Raw readings have `value`; buckets have the others. Null where there is none."""

    value = serializers.ListField(child=serializers.JSONField(allow_null=True), required=False)
    min = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    max = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    mean = serializers.ListField(child=serializers.FloatField(allow_null=True), required=False)
    last = serializers.ListField(child=serializers.JSONField(allow_null=True), required=False)
    count = serializers.ListField(child=serializers.IntegerField(), required=False)


class ReadingsSerializer(serializers.Serializer[None]):
    """History as columns: `ts` and each metric's lists have equal length. Times are Unix ms."""

    from_ms = serializers.IntegerField()
    to_ms = serializers.IntegerField()
    resolution = serializers.ChoiceField(["raw", "1m", "1h"])
    bucket_ms = serializers.IntegerField(allow_null=True, help_text="null: one entry a reading")
    ts = serializers.ListField(child=serializers.IntegerField())
    metrics = serializers.DictField(child=ColumnSerializer())


class HubWideSerializer(serializers.Serializer[None]):
    """What cannot be told by device."""

    dropped_by_broker = serializers.IntegerField(
        allow_null=True,
        help_text="messages that the broker dropped, for any client, since it started; null: it does not say",
    )


class LedgerSerializer(serializers.Serializer[None]):
    """What became of everything that arrived: received = stored + updated + duplicate + rejected."""

    device = serializers.CharField()
    received = serializers.IntegerField()
    stored = serializers.IntegerField()
    updated = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    values_rejected = serializers.IntegerField()
    pruned = serializers.IntegerField()
    lost_before_hub = serializers.IntegerField()
    last_seq = serializers.IntegerField(allow_null=True)
    hub_wide = HubWideSerializer()


class RejectionsQuery(PageQuery):
    """Which rejections are listed, newest first."""

    page_size = serializers.IntegerField(required=False, min_value=1, max_value=REJECTIONS_PAGE_SIZE_MAX)
    device = serializers.CharField(
        max_length=MAX_DEVICE_ID_CHARS, required=False, help_text="the id in the topic, registered or not"
    )
    reason = serializers.CharField(max_length=32, required=False, help_text="a reason code")


class ReplaySerializer(serializers.Serializer[None]):
    """A payload taken once more: when, and how many of its readings became what."""

    requested = serializers.DateTimeField()
    taken = serializers.DateTimeField(allow_null=True, help_text="null: it waits for the bridge")
    outcome = serializers.ChoiceField(
        Replay.Outcome.choices, allow_null=True, help_text="the best that became of any of its readings"
    )
    stored = serializers.IntegerField()
    updated = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    reason = serializers.CharField(allow_null=True, help_text="why the first that was refused was")
    detail = serializers.CharField()


class RejectionSerializer(serializers.Serializer[None]):
    """What was refused of one device, for one reason and metric, within 10 minutes."""

    id = serializers.IntegerField()
    device = serializers.CharField(help_text="the id in the topic")
    device_type = serializers.CharField(help_text="the type in the topic")
    known = serializers.BooleanField(help_text="whether there is such a device")
    reason = serializers.CharField()
    metric = serializers.CharField(allow_null=True, help_text="null: it is the whole reading or message")
    detail = serializers.CharField()
    count = serializers.IntegerField()
    first = serializers.DateTimeField()
    last = serializers.DateTimeField()
    payload = serializers.CharField(help_text="the newest payload; what is no UTF-8 shows as U+FFFD")
    payload_bytes = serializers.IntegerField()
    replayable = serializers.BooleanField(help_text="whether the payload can be taken once more")
    replay = ReplaySerializer(allow_null=True, help_text="null: nobody asked for it")
