"""What heartbeats say of bridges: which part of the way is down, and since when."""

from typing import Any

from dashboard.hub_view import HubView, Report, report_of
from dashboard.messages import TypeCounts

START_MS = 1_000_000


def report(at_ms: int, **changed: Any) -> Report:
    fields = {
        "slot": "main",
        "source": "main-1",
        "at_ms": at_ms,
        "receiving": True,
        "receiving_since_ms": START_MS,
        "storing": True,
        "storing_since_ms": START_MS,
        "lag_ms": 3,
        "types": {"thermostat": {"readings_per_s": 2.0, "online": 1}},
    }
    return report_of({"type": "hub.bridge", **fields, **changed})


def test_without_any_bridge_the_layer_is_not_blamed() -> None:
    view = HubView(START_MS)
    assert view.layer_is_up(START_MS + 60_000)
    assert view.bridges(START_MS) == []
    assert view.counts(START_MS) == {}


def test_rows_without_the_group_mean_that_the_layer_is_down() -> None:
    view = HubView(START_MS)
    view.read([report(START_MS + 2_900)])
    assert view.layer_is_up(START_MS + 3_000)
    assert not view.layer_is_up(START_MS + 3_001)
    view.hear(report(START_MS + 3_500), START_MS + 3_500)
    assert view.layer_is_up(START_MS + 3_600)


def test_a_bridge_that_is_gone_is_no_reason_to_blame_the_layer() -> None:
    view = HubView(START_MS)
    view.read([report(START_MS)])
    assert view.layer_is_up(START_MS + 6_001)


def test_a_bridge_that_has_said_nothing_for_six_seconds_is_not_receiving_since_then() -> None:
    view = HubView(START_MS)
    view.hear(report(START_MS), START_MS)
    assert view.bridges(START_MS + 6_000)[0].receiving
    gone = view.bridges(START_MS + 6_001)[0]
    assert (gone.receiving, gone.receiving_since_ms, gone.storing) == (False, START_MS, True)


def test_a_bridge_that_was_not_receiving_keeps_its_own_since() -> None:
    view = HubView(START_MS)
    view.hear(report(START_MS, receiving=False, receiving_since_ms=7), START_MS)
    assert view.bridges(START_MS + 60_000)[0].receiving_since_ms == 7


def test_an_older_row_does_not_replace_a_newer_report() -> None:
    view = HubView(START_MS)
    view.hear(report(START_MS + 5, source="main-2"), START_MS + 5)
    view.read([report(START_MS)])
    assert [bridge.source for bridge in view.bridges(START_MS + 5)] == ["main-2"]


def test_counts_are_those_of_bridges_that_are_alive() -> None:
    view = HubView(START_MS)
    view.hear(report(START_MS), START_MS)
    assert view.counts(START_MS) == {"thermostat": TypeCounts(online=1, readings_per_s=2.0)}
    assert view.counts(START_MS + 6_001) == {}
