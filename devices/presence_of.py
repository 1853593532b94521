"""The presence of devices, read from their newest transitions."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from django.db.models import OuterRef, Q, QuerySet, Subquery

from devices.models import Device, DeviceState, State


class Presence(NamedTuple):
    """A state since when (Unix ms) and a code for why; both None for a device never heard of."""

    state: str
    since_ms: int | None
    because: str | None


NEVER: Final = Presence(State.NEVER.value, None, None)


def presence_of(device_keys: Iterable[int]) -> dict[int, Presence]:
    """The presence of each device by its key, in one query."""
    keys = list(device_keys)
    newest = Device.objects.filter(pk__in=keys).annotate(newest=_newest("id")).values("newest")
    rows = DeviceState.objects.filter(pk__in=newest).values_list("device_id", "state", "since_ms", "because")
    known = {key: Presence(state, since_ms, because) for key, state, since_ms, because in rows}
    return {key: known.get(key, NEVER) for key in keys}


def in_state(devices: QuerySet[Device], state: str) -> QuerySet[Device]:
    """Those devices whose newest transition is to `state`; `never` includes those without any."""
    stated = devices.annotate(newest_state=_newest("state"))
    if state == State.NEVER:
        return stated.filter(Q(newest_state=None) | Q(newest_state=State.NEVER))
    return stated.filter(newest_state=state)


def _newest(field: str) -> Subquery:
    transitions = DeviceState.objects.filter(device=OuterRef("pk")).order_by("-id")
    return Subquery(transitions.values(field)[:1])
