"""What the bridges said of themselves -> what the heartbeat and the summary say. Pure.

Two ways lead here: the group `hub`, every second, and a row in the database, every 2 s. From their
difference follows whether the live channel is down, or the bridge.
"""

from collections.abc import Iterable, Mapping

import msgspec

from dashboard.messages import BridgeHealth, TypeCounts
from hub.limits.bridge import BRIDGE_GROUP_SILENT_MS, BRIDGE_ROW_STALE_MS


class Report(msgspec.Struct, frozen=True):
    """One report of the bridge of a slot, from the group or from its row."""

    slot: str
    source: str
    at_ms: int
    receiving: bool
    receiving_since_ms: int
    storing: bool
    storing_since_ms: int
    lag_ms: int
    types: dict[str, TypeCounts]


def report_of(fields: Mapping[str, object]) -> Report:
    """The report in a layer message or a row; msgspec.ValidationError when it is none."""
    return msgspec.convert({key: value for key, value in fields.items() if key != "type"}, Report)


class HubView:
    """The newest report of each slot. Times are Unix ms of this process's clock."""

    def __init__(self, started_ms: int) -> None:
        self._reports: dict[str, Report] = {}
        self._row_at_ms = 0
        self._heard_ms = started_ms

    def hear(self, report: Report, now_ms: int) -> None:
        """Take a report that came over the channel layer."""
        self._heard_ms = now_ms
        self._keep(report)

    def read(self, reports: Iterable[Report]) -> None:
        """Take the rows of the database."""
        for report in reports:
            self._row_at_ms = max(self._row_at_ms, report.at_ms)
            self._keep(report)

    def joined(self, now_ms: int) -> None:
        """The group was joined (again): its silence counts from now."""
        self._heard_ms = max(self._heard_ms, now_ms)

    def layer_is_up(self, now_ms: int) -> bool:
        """False when bridges write their rows and yet nobody is heard."""
        row_is_fresh = now_ms - self._row_at_ms <= BRIDGE_ROW_STALE_MS
        return not (row_is_fresh and now_ms - self._heard_ms > BRIDGE_GROUP_SILENT_MS)

    def bridges(self, now_ms: int) -> list[BridgeHealth]:
        """One entry a slot. Who has said nothing for 6 s is not receiving, since it last spoke."""
        return [self._health(report, now_ms) for report in self._reports.values()]

    def counts(self, now_ms: int) -> dict[str, TypeCounts]:
        """The counts of device types whose bridge is alive."""
        found: dict[str, TypeCounts] = {}
        for report in sorted(self._reports.values(), key=lambda report: report.at_ms):
            if now_ms - report.at_ms <= BRIDGE_ROW_STALE_MS:
                found.update(report.types)
        return found

    def _keep(self, report: Report) -> None:
        known = self._reports.get(report.slot)
        if known is None or report.at_ms >= known.at_ms:
            self._reports[report.slot] = report

    @staticmethod
    def _health(report: Report, now_ms: int) -> BridgeHealth:
        receiving, since_ms = report.receiving, report.receiving_since_ms
        if receiving and now_ms - report.at_ms > BRIDGE_ROW_STALE_MS:
            receiving, since_ms = False, report.at_ms
        return BridgeHealth(
            slot=report.slot,
            source=report.source,
            heard_ms=report.at_ms,
            receiving=receiving,
            receiving_since_ms=since_ms,
            storing=report.storing,
            storing_since_ms=report.storing_since_ms,
            lag_ms=report.lag_ms,
        )
