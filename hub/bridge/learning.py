"""Metrics that a type with `unknown_metrics` = `learn` does not know yet, found in what devices send."""

from collections.abc import Iterable, Mapping

import msgspec
from django.db import transaction

from devices import registry
from hub.bridge.registry import TypeEntry
from hub.bridge.values import kind_of, unlearnable
from hub.limits.telemetry import MAX_METRICS_PER_TYPE
from hub.protocol.telemetry import Reading


class Lesson(msgspec.Struct, frozen=True):
    """Metrics to be added to a type before a message can be judged: kind by key."""

    type_slug: str
    kinds: dict[str, str]


def new_metrics(readings: Iterable[Reading], kind: TypeEntry) -> dict[str, str]:
    """Metrics that readings bring along and the type has room for: kind by key. Pure."""
    found: dict[str, str] = {}
    room = MAX_METRICS_PER_TYPE - len(kind.metrics)
    for reading in readings:
        for key, value in reading.values.items():
            if len(found) >= room:
                return found
            if key in kind.metrics or key in found or unlearnable(key, value, kind) is not None:
                continue
            given = kind_of(value)
            if given is not None:
                found[key] = given
    return found


def learn(type_slug: str, kinds: Mapping[str, str]) -> None:
    """Add the metrics that are missing, as far as there is room. Asks the database; one transaction.

    Another bridge may learn the same: the first decides the kind.
    """
    with transaction.atomic():
        for key, kind in kinds.items():
            if registry.learn_metric(type_slug, key, kind) is None:
                return
