"""The parts of which bodies and queries are made: what is not understood is refused, never ignored."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from devices.api.times import moment_ms
from hub.limits.registry import (
    MAX_LABEL_KEY_CHARS,
    MAX_LABEL_VALUE_CHARS,
    MAX_LABELS_PER_DEVICE,
    PAGE_SIZE_MAX,
)
from hub.limits.telemetry import MAX_ABS_NUMBER

_LABEL_KEY: Final = rf"^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_LABEL_KEY_CHARS - 1}}}\Z"
_LABEL_KEY_TEXT: Final = (
    "is not a label's name: letters, digits, `_`, `.` and `-`, a letter or digit first, "
    f"at most {MAX_LABEL_KEY_CHARS}. One would be: site"
)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses what it does not know: a misspelt field must not pass for one left out."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name: [self._sentence(name)] for name in unknown}, "unknown"
                )
        return super().to_internal_value(data)

    def _sentence(self, name: str) -> str:
        known = ", ".join(each for each, field in self.fields.items() if not field.read_only)
        return (
            f"There is no {name[:100]!r} here; known are: {known}." if known else "Nothing is expected here."
        )


class Number(serializers.FloatField):
    """A JSON number: no text, no boolean, nothing infinite."""

    default_error_messages = {
        "invalid": "Give a number, like 21.5.",
        "too_large": f"Give a number between -{MAX_ABS_NUMBER:g} and {MAX_ABS_NUMBER:g}.",
    }

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float):
            self.fail("invalid")
        if not abs(data) <= MAX_ABS_NUMBER:
            self.fail("too_large")
        return float(data)


class Labels(serializers.DictField):
    """`{"site": "north"}`: texts by name."""

    child = serializers.CharField(max_length=MAX_LABEL_VALUE_CHARS, allow_blank=True, trim_whitespace=False)
    default_error_messages = {
        "not_a_dict": 'Labels are an object of texts, like {{"site": "north"}}.',
        "not_text": "A label's value is text; write it in quotation marks.",
        "bad_name": "{name} " + _LABEL_KEY_TEXT + ".",
        "too_many": f"A device has at most {MAX_LABELS_PER_DEVICE} labels.",
    }

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict")
        if len(data) > MAX_LABELS_PER_DEVICE:
            self.fail("too_many")
        for name, value in data.items():
            if not is_label_key(name):
                self.fail("bad_name", name=repr(name[:MAX_LABEL_KEY_CHARS]))
            if not isinstance(value, str):
                raise serializers.ValidationError({name: [self.error_messages["not_text"]]}, "not_text")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.STR)
class Moment(serializers.Field[int, str, str, Any]):
    """A point in time in a query, as Unix milliseconds inside."""

    default_error_messages = {
        "invalid": "Give Unix milliseconds, like 1763796000123, or ISO 8601 with an offset, "
        "like 2026-11-22T07:20:00Z."
    }

    def to_internal_value(self, data: str) -> int:
        ms = moment_ms(data)
        if ms is None:
            self.fail("invalid")
        return ms


@extend_schema_field(OpenApiTypes.STR)
class Words(serializers.Field[list[str], str, str, Any]):
    """A comma-separated list in a query."""

    def to_internal_value(self, data: str) -> list[str]:
        return list(dict.fromkeys(word for word in data.split(",") if word))


class PageQuery(StrictSerializer):
    """Which page of a list."""

    page = serializers.IntegerField(required=False, min_value=1, help_text="counted from 1")
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=PAGE_SIZE_MAX)


def is_label_key(name: str) -> bool:
    return re.match(_LABEL_KEY, name) is not None


def one_of(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses a word."""
    return f"{word[:100]!r} is none of: {', '.join(known)}."
