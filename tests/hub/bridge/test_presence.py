"""Every rule by which a device is online, silent or offline, and what never makes it so."""

import pytest

from hub.bridge.presence import Change, Presence, silent_after_ms
from tests.hub.bridge.parts import NOW_MS, OFF, P1, PUMP, T1, T2, THERMOSTAT, registry_of

REGISTRY = registry_of(T1, T2, P1, OFF)
LIMIT_MS = 150_000


def due(presence: Presence, now_ms: int, receiving_since_ms: int = 0) -> list[Change]:
    return presence.due(now_ms, receiving_since_ms, REGISTRY)


@pytest.mark.parametrize(
    ("interval_s", "after_ms"), [(60.0, 150_000), (4.0, 10_000), (0.01, 10_000), (5.0, 12_500), (None, None)]
)
def test_a_device_is_silent_after_two_and_a_half_intervals_and_ten_seconds_at_least(
    interval_s: float | None, after_ms: float | None
):
    assert silent_after_ms(interval_s) == after_ms


def test_a_reading_makes_a_device_online_from_every_state():
    presence = Presence()
    presence.load({T1.key: "silent", T2.key: "offline"})
    for device in (T1, T2, P1):
        change = presence.reading(device, NOW_MS, 1)
        assert change == Change(device, "online", NOW_MS, "reading")
        assert presence.reading(device, NOW_MS + 1, 1) is None


def test_a_device_falls_silent_once_when_nothing_comes_for_too_long():
    presence = Presence()
    presence.reading(T1, NOW_MS, 1)
    assert due(presence, NOW_MS + LIMIT_MS) == []
    assert due(presence, NOW_MS + LIMIT_MS + 1) == [Change(T1, "silent", NOW_MS + LIMIT_MS + 1, "no_reading")]
    assert due(presence, NOW_MS + LIMIT_MS + 2) == []
    assert presence.reading(T1, NOW_MS + LIMIT_MS + 3, 1) is not None


def test_silence_counts_from_when_the_hub_began_to_receive():
    """The hub's own outage makes no device silent."""
    presence = Presence()
    presence.reading(T1, NOW_MS, 1)
    back_ms = NOW_MS + 3_600_000
    assert due(presence, back_ms + LIMIT_MS, back_ms) == []
    assert len(due(presence, back_ms + LIMIT_MS + 1, back_ms)) == 1


def test_a_device_that_was_online_when_the_bridge_ended_falls_silent_under_the_next():
    presence = Presence()
    presence.load({T1.key: "online"})
    assert due(presence, NOW_MS + LIMIT_MS, NOW_MS) == []
    assert [change.device for change in due(presence, NOW_MS + LIMIT_MS + 1, NOW_MS)] == [T1]


def test_without_an_expected_interval_no_device_is_silent():
    presence = Presence()
    presence.reading(P1, NOW_MS, 1)
    assert due(presence, NOW_MS * 2) == []


def test_only_a_device_that_is_online_falls_silent():
    presence = Presence()
    presence.load({T1.key: "offline", T2.key: "silent"})
    assert due(presence, NOW_MS * 2) == []


def test_online_from_the_device_counts_like_an_arrival():
    presence = Presence()
    presence.status(T1, "online", NOW_MS, 1)
    assert due(presence, NOW_MS + LIMIT_MS) == []


def test_a_last_will_makes_a_device_offline_at_once_and_a_late_reading_online_again():
    presence = Presence()
    presence.reading(T1, NOW_MS, 1)
    change = presence.status(T1, "offline", NOW_MS + 1, 1)
    assert change == Change(T1, "offline", NOW_MS + 1, "status")
    assert presence.status(T1, "offline", NOW_MS + 2, 1) is None
    assert presence.reading(T1, NOW_MS + 3, 1) == Change(T1, "online", NOW_MS + 3, "reading")


# --- retained statuses -------------------------------------------------------------------------


def test_a_retained_online_changes_nothing():
    presence = Presence()
    assert presence.retained_status(T1, "online", NOW_MS, 1, THERMOSTAT) is None


def test_a_retained_offline_counts_for_a_device_that_has_long_been_quiet():
    presence = Presence()
    presence.load({T1.key: "online"})
    presence.recall(T1.key, NOW_MS - LIMIT_MS)
    change = presence.retained_status(T1, "offline", NOW_MS, 2, THERMOSTAT)
    assert change == Change(T1, "offline", NOW_MS, "status")


def test_a_retained_offline_says_nothing_of_a_device_that_was_never_heard():
    """It may be the last word of a device that was deleted, and had the same id."""
    presence = Presence()
    assert presence.retained_status(T1, "offline", NOW_MS, 1, THERMOSTAT) is None
    assert presence.counts(REGISTRY)["thermostat"] == {"never": 3}


def test_a_retained_offline_does_not_count_against_a_recent_reading():
    """Also not against one that an earlier run of the bridge stored."""
    presence = Presence()
    presence.load({T1.key: "online"})
    presence.recall(T1.key, NOW_MS - LIMIT_MS + 1)
    assert presence.retained_status(T1, "offline", NOW_MS, 2, THERMOSTAT) is None


@pytest.mark.parametrize(("quiet_ms", "counts"), [(59_999, False), (60_000, True)])
def test_without_an_expected_interval_a_retained_offline_counts_after_a_minute(quiet_ms: int, counts: bool):
    presence = Presence()
    presence.reading(P1, NOW_MS - quiet_ms, 1)
    assert (presence.retained_status(P1, "offline", NOW_MS, 2, PUMP) is not None) == counts


def test_a_retained_offline_does_not_count_once_something_came_on_this_connection():
    presence = Presence()
    presence.reading(T1, NOW_MS - 10 * LIMIT_MS, 2)
    assert presence.retained_status(T1, "offline", NOW_MS, 2, THERMOSTAT) is None
    assert presence.retained_status(T1, "offline", NOW_MS, 3, THERMOSTAT) is not None


# --- switched off and deleted --------------------------------------------------------------------


@pytest.mark.parametrize(("state", "ends"), [("online", True), ("silent", True), ("offline", False)])
def test_a_device_that_is_switched_off_is_offline(state: str, ends: bool):
    presence = Presence()
    presence.load({OFF.key: state})
    expected = Change(OFF, "offline", NOW_MS, "disabled") if ends else None
    assert presence.disabled(OFF, NOW_MS) == expected


def test_a_device_that_was_never_heard_stays_so_when_it_is_switched_off():
    assert Presence().disabled(OFF, NOW_MS) is None


def test_a_forgotten_device_begins_again():
    presence = Presence()
    presence.reading(T1, NOW_MS, 1)
    presence.forget(T1.key)
    presence.forget(99)
    assert due(presence, NOW_MS * 2) == []
    assert presence.counts(REGISTRY)["thermostat"] == {"never": 3}


def test_every_device_is_counted_in_its_state():
    presence = Presence()
    presence.load({T2.key: "silent", OFF.key: "offline"})
    presence.reading(T1, NOW_MS, 1)
    presence.recall(P1.key, NOW_MS)
    counts = presence.counts(REGISTRY)
    assert counts == {"thermostat": {"online": 1, "silent": 1, "offline": 1}, "pump": {"never": 1}}
