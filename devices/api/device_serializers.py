"""Devices in bodies, queries and answers."""

from typing import Any, Final, TypedDict

from rest_framework import serializers

from devices.access import Viewer
from devices.api.strict import Labels, Number, PageQuery, StrictSerializer, is_label_key, one_of
from devices.api.times import iso
from devices.models import Device, DeviceClock, State
from devices.presence_of import Presence
from devices.selection import ORDERINGS
from devices.shapes import device_shape
from hub.limits.bridge import CLOCK_SHOWN_ABOVE_MS
from hub.limits.registry import MAX_NAME_CHARS, MAX_SEARCH_CHARS, MAX_TOKEN_GRACE_S
from hub.limits.telemetry import MAX_DEVICE_ID_CHARS
from hub.protocol.topics import DEVICE_ID_PATTERN

_ID_TEXT: Final = (
    "Use letters, digits, `_` and `-`, a letter or digit first, "
    f"at most {MAX_DEVICE_ID_CHARS} characters. One would be: greenhouse-1"
)
_MAX_LABEL_FILTERS: Final = 10


class DeviceAnswer(TypedDict):
    """A device as REST shows it: times in ISO 8601, `since` and `because` null when never heard of."""

    id: str
    device_type: str
    name: str
    labels: dict[str, str]
    enabled: bool
    latitude: float | None
    longitude: float | None
    state: str
    since: str | None
    because: str | None
    clock_skew_ms: int | None
    created_at: str


def device_answer(device: Device, presence: Presence) -> DeviceAnswer:
    """A device with its type and labels loaded, as REST shows it."""
    shape = device_shape(device)
    return {
        "id": shape["id"],
        "device_type": device.device_type.slug,
        "name": shape["name"],
        "labels": shape["labels"],
        "enabled": shape["enabled"],
        "latitude": shape["latitude"],
        "longitude": shape["longitude"],
        "state": presence.state,
        "since": None if presence.since_ms is None else iso(presence.since_ms),
        "because": presence.because,
        "clock_skew_ms": _shown_skew(device),
        "created_at": iso(round(device.created_at.timestamp() * 1000)),
    }


def _shown_skew(device: Device) -> int | None:
    clock: DeviceClock | None = getattr(device, "clock", None)
    if clock is None or abs(clock.skew_ms) <= CLOCK_SHOWN_ABOVE_MS:
        return None
    return clock.skew_ms


def _visible_type(serializer: serializers.Serializer[Any], slug: str) -> str:
    viewer: Viewer = serializer.context["viewer"]
    if not viewer.sees_type(slug):
        raise serializers.ValidationError(
            f"There is no device type {slug[:100]!r}; GET /api/v1/device-types/ lists those there are.",
            "does_not_exist",
        )
    return slug


class DeviceSerializer(StrictSerializer):
    """One device. What only the hub knows (state, clock, time of creation) is ignored in a body."""

    id = serializers.RegexField(rf"^{DEVICE_ID_PATTERN}\Z", error_messages={"invalid": _ID_TEXT})
    device_type = serializers.CharField(help_text="the slug of its type")
    name = serializers.CharField(max_length=MAX_NAME_CHARS, allow_blank=True, default="")
    labels = Labels(default=dict)
    enabled = serializers.BooleanField(default=True, help_text="false: its messages are rejected")
    latitude = Number(min_value=-90, max_value=90, allow_null=True, default=None)
    longitude = Number(min_value=-180, max_value=180, allow_null=True, default=None)
    state = serializers.ChoiceField(State.choices, read_only=True)
    since = serializers.DateTimeField(read_only=True, allow_null=True)
    because = serializers.CharField(read_only=True, allow_null=True)
    clock_skew_ms = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="how far its clock is ahead (above zero) or behind; null: right within 2 s, or not known",
    )
    created_at = serializers.DateTimeField(read_only=True)

    def validate_device_type(self, slug: str) -> str:
        return _visible_type(self, slug)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["latitude"] is None) != (attrs["longitude"] is None):
            missing = "latitude" if attrs["latitude"] is None else "longitude"
            raise serializers.ValidationError(
                {missing: "Give latitude and longitude together, or neither of them."}, "required"
            )
        return attrs


class TopicsSerializer(serializers.Serializer[None]):
    """The device's own MQTT topics."""

    telemetry = serializers.CharField()
    status = serializers.CharField()
    commands = serializers.CharField()
    replies = serializers.CharField()
    rejections = serializers.CharField()


class MqttSerializer(serializers.Serializer[None]):
    """Where the device connects. The password is its token."""

    host = serializers.CharField()
    port = serializers.IntegerField()
    tls = serializers.BooleanField()
    username = serializers.CharField()
    topics = TopicsSerializer()


class AccountSerializer(serializers.Serializer[None]):
    """A device's token, shown this once, and how to use it."""

    token = serializers.CharField(help_text="the MQTT password; shown once and not kept")
    mqtt = MqttSerializer()
    mosquitto_pub = serializers.CharField(help_text="a line for a shell that sends a first reading")


class CreatedDeviceSerializer(DeviceSerializer):
    """A new device with its account."""

    token = serializers.CharField(read_only=True, help_text="the MQTT password; shown once and not kept")
    mqtt = MqttSerializer(read_only=True)
    mosquitto_pub = serializers.CharField(read_only=True)


class DeviceQuery(PageQuery):
    """Which devices are listed; all conditions hold."""

    device_type = serializers.CharField(required=False, help_text="a type's slug")
    state = serializers.ChoiceField(State.choices, required=False)
    label = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(),
        max_length=_MAX_LABEL_FILTERS,
        required=False,
        help_text="`key:value`; may be given several times",
    )
    search = serializers.CharField(
        max_length=MAX_SEARCH_CHARS,
        required=False,
        allow_blank=True,
        help_text="a part of the id or the name",
    )
    ordering = serializers.CharField(
        required=False, help_text="id, name, device_type or created_at; with `-` in front the other way round"
    )

    def validate_device_type(self, slug: str) -> str:
        return _visible_type(self, slug)

    def validate_label(self, given: list[str]) -> list[tuple[str, str]]:
        pairs = [word.partition(":") for word in given]
        for word, (key, colon, _) in zip(given, pairs, strict=True):
            if not colon or not is_label_key(key):
                raise serializers.ValidationError(
                    f"{word[:100]!r} is not key:value. One would be: site:north", "invalid"
                )
        return [(key, value) for key, _, value in pairs]

    def validate_ordering(self, ordering: str) -> str:
        if ordering.removeprefix("-") not in ORDERINGS:
            raise serializers.ValidationError(one_of(ordering, ORDERINGS), "invalid")
        return ordering


class TokenQuery(StrictSerializer):
    """How the old token ends."""

    grace_s = serializers.IntegerField(
        min_value=0,
        max_value=MAX_TOKEN_GRACE_S,
        required=False,
        default=0,
        help_text="seconds for which the token before stays valid; not with every broker",
    )


class NothingSerializer(StrictSerializer):
    """An empty body: what is asked for is in the address."""
