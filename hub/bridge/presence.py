"""Who is there: never, online, silent, offline, each since when and because of what. Pure.

A reading always makes a device online. It is silent when nothing came for longer than its type
expects, counted from the later of its last arrival and the moment the hub began to receive: the
hub's own outage never makes a device silent.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec

from hub.bridge.registry import DeviceEntry, Registry, TypeEntry
from hub.limits.bridge import RETAINED_OFFLINE_TRUSTED_AFTER_S, SILENT_AFTER_INTERVALS, SILENT_AFTER_MIN_S

NEVER: Final = "never"
ONLINE: Final = "online"
SILENT: Final = "silent"
OFFLINE: Final = "offline"


class Change(msgspec.Struct, frozen=True, gc=False):
    """One transition of one device."""

    device: DeviceEntry
    state: str
    since_ms: int
    because: str


@dataclass(slots=True)
class _Entry:
    state: str
    last_arrival_ms: int
    heard_on: int


def silent_after_ms(expected_interval_s: float | None) -> float | None:
    """How long nothing may come before a device is silent, None: it never is."""
    if expected_interval_s is None:
        return None
    return max(SILENT_AFTER_INTERVALS * expected_interval_s, SILENT_AFTER_MIN_S) * 1000


class Presence:
    """The state of every device that was ever heard of, by its key."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def load(self, states: dict[int, str]) -> None:
        """Take over the newest stored states, by device key."""
        for key, state in states.items():
            self._entries[key] = _Entry(state, 0, 0)

    def recall(self, key: int, arrived_ms: int) -> None:
        """A stored reading of a device that was not heard since this bridge started."""
        entry = self._entry(key)
        entry.last_arrival_ms = max(entry.last_arrival_ms, arrived_ms)

    def forget(self, key: int) -> None:
        """A device was deleted."""
        self._entries.pop(key, None)

    def reading(self, device: DeviceEntry, arrived_ms: int, connection: int) -> Change | None:
        """A reading of the device was accepted."""
        entry = self._entry(device.key)
        entry.last_arrival_ms = max(entry.last_arrival_ms, arrived_ms)
        entry.heard_on = connection
        return self._turn(device, entry, ONLINE, arrived_ms, "reading")

    def status(self, device: DeviceEntry, word: str, arrived_ms: int, connection: int) -> Change | None:
        """The device, or its last will, said `online` or `offline` just now."""
        entry = self._entry(device.key)
        if word == OFFLINE:
            return self._turn(device, entry, OFFLINE, arrived_ms, "status")
        entry.last_arrival_ms = max(entry.last_arrival_ms, arrived_ms)
        entry.heard_on = connection
        return self._turn(device, entry, ONLINE, arrived_ms, "status")

    def retained_status(
        self, device: DeviceEntry, word: str, arrived_ms: int, connection: int, kind: TypeEntry
    ) -> Change | None:
        """A status from before we subscribed. `online` says nothing; `offline` only of a device that was
        heard before, has long been quiet and was not heard on this connection.

        What the broker keeps for a device that was never heard may be of another that had its id.
        """
        entry = self._entry(device.key)
        heard_now = entry.heard_on == connection and entry.last_arrival_ms
        if word != OFFLINE or entry.state == NEVER or heard_now:
            return None
        trusted_after_ms = (
            silent_after_ms(kind.expected_interval_s) or RETAINED_OFFLINE_TRUSTED_AFTER_S * 1000
        )
        if arrived_ms - entry.last_arrival_ms < trusted_after_ms:
            return None
        return self._turn(device, entry, OFFLINE, arrived_ms, "status")

    def disabled(self, device: DeviceEntry, now_ms: int) -> Change | None:
        """The device was switched off by its owner; some brokers send no last will then."""
        entry = self._entry(device.key)
        if entry.state not in (ONLINE, SILENT):
            return None
        return self._turn(device, entry, OFFLINE, now_ms, "disabled")

    def due(self, now_ms: int, receiving_since_ms: int, registry: Registry) -> list[Change]:
        """Devices that fell silent by `now_ms`, the moment up to which everything was judged."""
        limits = {
            slug: limit
            for slug, kind in registry.types.items()
            if (limit := silent_after_ms(kind.expected_interval_s)) is not None
        }
        changes = []
        for device in registry.devices.values():
            entry = self._entries.get(device.key)
            limit = limits.get(device.type_slug)
            if entry is None or limit is None or entry.state != ONLINE:
                continue
            if now_ms - max(entry.last_arrival_ms, receiving_since_ms) > limit:
                change = self._turn(device, entry, SILENT, now_ms, "no_reading")
                if change is not None:
                    changes.append(change)
        return changes

    def counts(self, registry: Registry) -> dict[str, Counter[str]]:
        """How many devices are in each state, by type."""
        counts: dict[str, Counter[str]] = {slug: Counter() for slug in registry.types}
        for device in registry.devices.values():
            entry = self._entries.get(device.key)
            if device.type_slug in counts:
                counts[device.type_slug][entry.state if entry else NEVER] += 1
        return counts

    def _entry(self, key: int) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(NEVER, 0, 0)
        return entry

    @staticmethod
    def _turn(device: DeviceEntry, entry: _Entry, state: str, now_ms: int, because: str) -> Change | None:
        if entry.state == state:
            return None
        entry.state = state
        return Change(device, state, now_ms, because)
