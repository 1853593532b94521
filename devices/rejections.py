"""Refused messages, readings and values kept for their owners: a row per device, reason, metric and
10 minutes, with a count and the newest payload. Written by the bridge only."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from django.db import transaction
from django.db.models import F

from devices.models import Device, Rejection
from hub.limits.bridge import REJECTION_DETAIL_CHARS, REJECTION_METRICS_PER_DEVICE, REJECTION_WINDOW_MS
from hub.limits.telemetry import (
    MAX_DEVICE_ID_CHARS,
    MAX_METRIC_KEY_CHARS,
    MAX_PAYLOAD_BYTES,
    MAX_TYPE_SLUG_CHARS,
)


class Refused(msgspec.Struct, frozen=True, gc=False):
    """One refusal. `device`: its history key, None for an unknown device; `at_ms`: its arrival."""

    device: int | None
    uid: str
    type_slug: str
    reason: str
    metric: str
    detail: str
    payload: bytes
    at_ms: int


class _Key(NamedTuple):
    uid: str
    type_slug: str
    reason: str
    metric: str
    window_ms: int


def record(refusals: Iterable[Refused]) -> int:
    """Count refusals into their rows, in one transaction; returns the number of rows touched.

    Equal ones are counted before the database sees them, so a flood costs a row a batch. Beyond
    REJECTION_METRICS_PER_DEVICE the metrics of a device share a row without a metric.
    """
    groups: dict[_Key, list[Refused]] = {}
    num_metrics: Counter[_Key] = Counter()
    for refused in refusals:
        key = _key(refused)
        shared = key._replace(metric="")
        if key not in groups and key != shared:
            num_metrics[shared] += 1
            key = key if num_metrics[shared] <= REJECTION_METRICS_PER_DEVICE else shared
        groups.setdefault(key, []).append(refused)
    with transaction.atomic():
        keys = {refused.device for refused in (group[-1] for group in groups.values()) if refused.device}
        alive = set(Device.objects.filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
        for key, group in groups.items():
            _count(key, group, alive)
    return len(groups)


def _key(refused: Refused) -> _Key:
    return _Key(
        _clean(refused.uid, MAX_DEVICE_ID_CHARS),
        _clean(refused.type_slug, MAX_TYPE_SLUG_CHARS),
        refused.reason,
        _clean(refused.metric, MAX_METRIC_KEY_CHARS),
        refused.at_ms - refused.at_ms % REJECTION_WINDOW_MS,
    )


def _count(key: _Key, group: list[Refused], alive: set[int]) -> None:
    uid, type_slug, reason, metric, window_ms = key
    newest = group[-1]
    row, created = Rejection.objects.get_or_create(
        uid=uid,
        device_type=type_slug,
        reason=reason,
        metric=metric,
        window_ms=window_ms,
        defaults={
            "device_id": newest.device if newest.device in alive else None,
            "count": len(group),
            "detail": _clean(newest.detail, REJECTION_DETAIL_CHARS),
            "payload": newest.payload[:MAX_PAYLOAD_BYTES],
            "first_ms": group[0].at_ms,
            "last_ms": newest.at_ms,
        },
    )
    if not created:
        Rejection.objects.filter(pk=row.pk).update(
            count=F("count") + len(group),
            detail=_clean(newest.detail, REJECTION_DETAIL_CHARS),
            payload=newest.payload[:MAX_PAYLOAD_BYTES],
            last_ms=newest.at_ms,
        )


def _clean(text: str, max_chars: int) -> str:
    """Text that every database takes: no NUL, no half of a surrogate pair, of bounded length."""
    return text[:max_chars].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
