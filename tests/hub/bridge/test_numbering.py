"""Entries are numbered without holes, and a number is taken only when its frame is stored."""

from hub.bridge.numbering import Draft, Numbering
from hub.bridge.presence import Change
from hub.bridge.registry import DeviceEntry
from hub.limits.live import FRAME_MAX_ROWS
from hub.protocol import frames
from tests.hub.bridge.parts import NOW_MS, P1, PUMP, T1, T2, THERMOSTAT, accepted, changes_of, registry_of

REGISTRY = registry_of(T1, T2, P1)


def spans(draft: Draft) -> list[tuple[str, str, int, int]]:
    return [(f.device_type, f.kind, f.first, f.last) for f in draft.frames]


def test_numbers_begin_at_one_and_count_entries_by_type():
    draft = Numbering("main-1").draft(NOW_MS)
    draft.states([Change(T1, "online", NOW_MS, "reading")])
    draft.readings([accepted(), accepted(device=P1, values={"flow": 1}), accepted(device=T2)], REGISTRY)
    assert spans(draft) == [
        ("thermostat", "states", 1, 1),
        ("thermostat", "readings", 2, 3),
        ("pump", "readings", 1, 1),
    ]
    assert {(f.source, f.at_ms) for f in draft.frames} == {("main-1", NOW_MS)}


def test_numbers_move_only_when_the_frames_are_stored():
    numbering = Numbering("main-1")
    lost = numbering.draft(NOW_MS)
    lost.readings([accepted()] * 3, REGISTRY)
    stored = numbering.draft(NOW_MS)
    stored.readings([accepted()], REGISTRY)
    assert spans(lost)[0][2:] == (1, 3)
    assert spans(stored)[0][2:] == (1, 1)
    numbering.commit(stored.frames)
    after = numbering.draft(NOW_MS)
    after.readings([accepted()], REGISTRY)
    assert spans(after)[0][2:] == (2, 2)


def test_many_rows_are_frames_that_follow_each_other():
    draft = Numbering("main-1").draft(NOW_MS)
    draft.readings([accepted()] * (2 * FRAME_MAX_ROWS + 1), REGISTRY)
    assert [(first, last) for _, _, first, last in spans(draft)] == [(1, 500), (501, 1000), (1001, 1001)]


def test_columns_have_the_order_of_the_type():
    draft = Numbering("main-1").draft(NOW_MS)
    draft.readings([accepted({"mode": "eco", "temperature": 1})], REGISTRY)
    assert frames.decode_readings(draft.frames[0].body).metrics == ["temperature", "mode"]


def test_readings_of_a_type_that_is_gone_still_make_a_frame():
    draft = Numbering("main-1").draft(NOW_MS)
    registry = registry_of(T1)
    del registry.types["thermostat"]
    draft.readings([accepted({"mode": "eco", "energy": 1})], registry)
    assert frames.decode_readings(draft.frames[0].body).metrics == ["energy", "mode"]


def test_changes_of_the_registry_are_entries_too():
    draft = Numbering("main-1").draft(NOW_MS)
    draft.registry(changes_of(T1, T2, types=[PUMP, THERMOSTAT], removed=[P1]))
    assert spans(draft) == [
        ("pump", "device_type", 1, 1),
        ("thermostat", "device_type", 1, 1),
        ("pump", "devices", 2, 2),
        ("thermostat", "devices", 2, 3),
    ]
    assert frames.decode_devices(draft.frames[2].body).removed == ["p1"]
    assert [d["id"] for d in frames.decode_devices(draft.frames[3].body).changed] == ["t1", "t2"]


def test_a_device_that_was_deleted_and_made_again_is_changed_and_not_removed():
    draft = Numbering("main-1").draft(NOW_MS)
    draft.registry(changes_of(T1, removed=[DeviceEntry(99, "t1", "thermostat", False)]))
    assert spans(draft) == [("thermostat", "devices", 1, 1)]
    assert frames.decode_devices(draft.frames[0].body).removed == []


def test_a_device_that_moved_is_removed_from_the_type_it_left():
    moved = DeviceEntry(T1.key, T1.uid, "pump", True)
    draft = Numbering("main-1").draft(NOW_MS)
    draft.registry(changes_of(moved, removed=[T1]))
    assert spans(draft) == [("pump", "devices", 1, 1), ("thermostat", "devices", 1, 1)]
    assert frames.decode_devices(draft.frames[0].body).changed == [{"id": "t1"}]
    assert frames.decode_devices(draft.frames[1].body).removed == ["t1"]
