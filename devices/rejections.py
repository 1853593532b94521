"""Refused messages, readings and values kept for their owners: a row per device, reason, metric and
10 minutes, with a count and the newest payload. Written by the bridge only."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

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


class _Row(NamedTuple):
    id: int
    last_ms: int


_COLUMNS: Final = ("uid", "device_type", "reason", "metric", "window_ms", "id", "last_ms")
_KEYS_PER_QUERY: Final = 500


def record(refusals: Iterable[Refused]) -> int:
    """Count refusals into their rows, in one transaction; returns the number of rows touched.

    Equal ones are counted before the database sees them, so a flood costs a row a batch. Beyond
    REJECTION_METRICS_PER_DEVICE in a window the metrics of a device share a row without a metric.
    """
    groups: dict[_Key, list[Refused]] = {}
    for refused in refusals:
        groups.setdefault(_key(refused), []).append(refused)
    with transaction.atomic():
        known = _known(groups)
        _share(groups, known)
        keys = {refused.device for refused in (group[-1] for group in groups.values()) if refused.device}
        alive = set(Device.objects.filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
        for key in groups.keys() & known.keys():
            _add(known[key], groups[key])
        new = [_row(key, group, alive) for key, group in groups.items() if key not in known]
        Rejection.objects.bulk_create(new)
    return len(groups)


def _known(groups: Iterable[_Key]) -> dict[_Key, _Row]:
    """The rows there are of these devices and windows. The bridge of a slot is their only writer."""
    groups = list(groups)
    found: dict[_Key, _Row] = {}
    for start in range(0, len(groups), _KEYS_PER_QUERY):
        part = groups[start : start + _KEYS_PER_QUERY]
        rows = Rejection.objects.filter(
            uid__in={key.uid for key in part}, window_ms__in={key.window_ms for key in part}
        )
        for row in rows.values_list(*_COLUMNS):
            found[_Key(*row[:5])] = _Row(*row[5:])
    return found


def _share(groups: dict[_Key, list[Refused]], known: Iterable[_Key]) -> None:
    """Move what would be one metric too many for its device into the row without a metric."""
    num_metrics = Counter(key._replace(metric="") for key in known if key.metric)
    present = set(known)
    for key in list(groups):
        if not key.metric or key in present:
            continue
        shared = key._replace(metric="")
        num_metrics[shared] += 1
        if num_metrics[shared] > REJECTION_METRICS_PER_DEVICE:
            groups.setdefault(shared, []).extend(groups.pop(key))


def _key(refused: Refused) -> _Key:
    return _Key(
        clean(refused.uid, MAX_DEVICE_ID_CHARS),
        clean(refused.type_slug, MAX_TYPE_SLUG_CHARS),
        refused.reason,
        clean(refused.metric, MAX_METRIC_KEY_CHARS),
        refused.at_ms - refused.at_ms % REJECTION_WINDOW_MS,
    )


def _row(key: _Key, group: list[Refused], alive: set[int]) -> Rejection:
    newest = group[-1]
    return Rejection(
        uid=key.uid,
        device_type=key.type_slug,
        reason=key.reason,
        metric=key.metric,
        window_ms=key.window_ms,
        device_id=newest.device if newest.device in alive else None,
        count=len(group),
        detail=clean(newest.detail, REJECTION_DETAIL_CHARS),
        payload=newest.payload[:MAX_PAYLOAD_BYTES],
        first_ms=min(refused.at_ms for refused in group),
        last_ms=newest.at_ms,
    )


def _add(row: _Row, group: list[Refused]) -> None:
    """Count a group into its row. What is replayed comes from before, and replaces nothing newer."""
    newest = group[-1]
    changes: dict[str, object] = {"count": F("count") + len(group)}
    if newest.at_ms >= row.last_ms:
        changes |= {
            "detail": clean(newest.detail, REJECTION_DETAIL_CHARS),
            "payload": newest.payload[:MAX_PAYLOAD_BYTES],
            "last_ms": newest.at_ms,
        }
    Rejection.objects.filter(pk=row.id).update(**changes)


def clean(text: str, max_chars: int) -> str:
    """Text that every database takes: no NUL, no half of a surrogate pair, of bounded length."""
    return text[:max_chars].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
