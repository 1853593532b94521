"""What every change of the registry has in common: the lock, the version, the refusal."""

from collections.abc import Mapping

from devices.models import Device, DeviceType, RegistryVersion


class RegistryConflictError(Exception):
    """What was asked contradicts what is there: a stable code, a sentence, the field it is about."""

    def __init__(self, code: str, detail: str, attr: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.attr = attr


def current_version() -> int:
    """The version of the newest change; 0 before the first."""
    return RegistryVersion.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def lock() -> RegistryVersion:
    """The version row, locked until the transaction ends. SQLite: it began IMMEDIATE, which is the lock."""
    return RegistryVersion.objects.select_for_update().get_or_create(pk=1)[0]


def next_version(version: RegistryVersion) -> int:
    version.value += 1
    version.save(update_fields=["value"])
    return version.value


def assign(row: Device | DeviceType, changes: Mapping[str, object]) -> bool:
    """Set fields; whether one of them is another now."""
    different = {name: value for name, value in changes.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)
