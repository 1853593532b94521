"""Which devices are asked for, and in which order: one meaning of the filters for REST and pages."""

from collections.abc import Iterable
from typing import Final

from django.db.models import Q, QuerySet

from devices.models import Device
from devices.presence_of import in_state

ORDERINGS: Final = {
    "id": "uid",
    "name": "name",
    "device_type": "device_type__slug",
    "created_at": "created_at",
}
"""What devices can be sorted by; with `-` in front the other way round."""


def select(
    devices: QuerySet[Device],
    *,
    device_type: str | None = None,
    state: str | None = None,
    labels: Iterable[tuple[str, str]] = (),
    search: str = "",
    ordering: str = "id",
) -> QuerySet[Device]:
    """Narrow `devices`: all conditions hold. `search` is a part of the id or the name, in any case."""
    if device_type is not None:
        devices = devices.filter(device_type__slug=device_type)
    if state is not None:
        devices = in_state(devices, state)
    for key, value in labels:
        devices = devices.filter(label_set__key=key, label_set__value=value)
    if search:
        devices = devices.filter(Q(uid__icontains=search) | Q(name__icontains=search))
    return devices.order_by(*_order(ordering))


def _order(ordering: str) -> list[str]:
    """The field, and the id behind it, so that pages of equal names do not overlap."""
    sign, field = ("-", ordering[1:]) if ordering.startswith("-") else ("", ordering)
    column = ORDERINGS[field]
    return [f"{sign}{column}"] if column == "uid" else [f"{sign}{column}", "uid"]
