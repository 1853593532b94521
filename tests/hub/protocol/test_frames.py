"""Frames: nothing is lost on the way into text and out of it, and the text stays within its bounds."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.limits.live import FRAME_MAX_BYTES, FRAME_MAX_ROWS
from hub.limits.telemetry import MAX_SEQ
from hub.protocol import frames
from hub.protocol.frames import Cursor, Frame, Row, StateChange
from hub.protocol.topics import DEVICE_ID_PATTERN, TYPE_SLUG_PATTERN

METRICS = ("temperature", "door", "mode", "rows")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15)
rows = st.builds(
    Row,
    st.from_regex(DEVICE_ID_PATTERN, fullmatch=True),
    st.integers(1, MAX_SEQ),
    st.integers(1, MAX_SEQ),
    st.none() | st.integers(0, MAX_SEQ),
    st.dictionaries(st.sampled_from(METRICS), numbers | st.booleans() | texts, min_size=1),
)


def decoded(bodies: list[tuple[int, str]]) -> list[Row]:
    """The rows of bodies, with the values that are there."""
    out = []
    for _, body in bodies:
        taken = frames.decode_readings(body)
        for device_id, ts_ms, received_ms, seq, cells in taken.rows:
            pairs = zip(taken.metrics, cells, strict=True)
            values = {key: value for key, value in pairs if value is not None}
            out.append(Row(device_id, ts_ms, received_ms, seq, values))
    return out


@given(st.lists(rows, max_size=30))
def test_rows_come_out_of_bodies_as_they_went_in(given_rows: list[Row]):
    bodies = list(frames.readings_bodies(METRICS, given_rows))
    assert decoded(bodies) == given_rows
    assert sum(count for count, _ in bodies) == len(given_rows)


@settings(max_examples=20)
@given(st.lists(rows, min_size=1, max_size=8), st.integers(1, 300))
def test_bodies_stay_within_rows_and_bytes_and_lose_nothing(few: list[Row], times: int):
    given_rows = few * times
    bodies = list(frames.readings_bodies(METRICS, given_rows))
    assert decoded(bodies) == given_rows
    assert all(
        0 < count <= FRAME_MAX_ROWS and len(body.encode()) <= FRAME_MAX_BYTES for count, body in bodies
    )


def test_large_rows_are_cut_by_bytes_and_a_row_is_never_split():
    long = Row("d1", 1, 2, None, {"mode": "x" * 1_000})
    bodies = list(frames.readings_bodies(METRICS, [long] * 200))
    assert [count for count, _ in bodies] == [64, 64, 64, 8]
    assert max(len(body) for _, body in bodies) <= FRAME_MAX_BYTES
    huge = Row("d1", 1, 2, None, {"mode": "x" * FRAME_MAX_BYTES})
    assert [count for count, _ in frames.readings_bodies(METRICS, [long, huge, long])] == [1, 1, 1]


def test_columns_have_the_order_of_the_type_and_leave_out_what_nobody_sent():
    given_rows = [Row("d1", 1, 2, 3, {"mode": "eco"}), Row("d2", 4, 5, None, {"temperature": 1.5})]
    ((count, body),) = frames.readings_bodies(METRICS, given_rows)
    assert count == 2
    assert body == (
        '"metrics":["temperature","mode"],"rows":[["d1",1,2,3,[null,"eco"]],["d2",4,5,null,[1.5,null]]]'
    )


def test_no_rows_make_no_body():
    assert list(frames.readings_bodies(METRICS, [])) == []
    assert list(frames.states_bodies([])) == []
    assert list(frames.devices_bodies([], [])) == []


@settings(max_examples=25)
@given(st.lists(st.lists(rows, min_size=1, max_size=5), min_size=1, max_size=5))
def test_join_loses_no_row(groups: list[list[Row]]):
    full = [[msgspec.structs.replace(row, values=dict.fromkeys(METRICS, 1)) for row in g] for g in groups]
    bodies = [body for group in full for _, body in frames.readings_bodies(METRICS, group)]
    assert len({frames.columns_of(body) for body in bodies}) == 1
    joined = frames.join(bodies)
    assert decoded([(0, joined)]) == [row for group in full for row in group]
    assert frames.columns_of(joined) == frames.columns_of(bodies[0])


def test_join_is_not_misled_by_text_that_looks_like_the_splice():
    evil = Row("d1", 1, 2, None, {"mode": '],"rows":[["d9"'})
    ((_, body),) = frames.readings_bodies(METRICS, [evil])
    assert decoded([(2, frames.join([body, body]))]) == [evil, evil]


# --- the other bodies --------------------------------------------------------------------------

changes = st.builds(
    StateChange,
    st.from_regex(DEVICE_ID_PATTERN, fullmatch=True),
    st.sampled_from(["online", "silent", "offline"]),
    st.integers(0, MAX_SEQ),
    st.sampled_from(["reading", "status", "no_reading", "disabled"]),
)


@settings(max_examples=30)
@given(st.lists(changes, max_size=10), st.integers(1, 130))
def test_state_changes_come_out_as_they_went_in(few: list[StateChange], times: int):
    given_changes = few * times
    bodies = list(frames.states_bodies(given_changes))
    assert [change for _, body in bodies for change in frames.decode_states(body)] == given_changes
    assert [count for count, _ in bodies] == [len(frames.decode_states(body)) for _, body in bodies]
    assert all(count <= FRAME_MAX_ROWS and len(body) <= FRAME_MAX_BYTES for count, body in bodies)


def test_devices_with_many_labels_are_cut_by_bytes():
    changed = [
        {"id": f"d{n}", "labels": {f"key{label}": "v" * 128 for label in range(50)}} for n in range(600)
    ]
    removed = [f"gone{n}" for n in range(700)]
    bodies = list(frames.devices_bodies(changed, removed))
    taken = [frames.decode_devices(body) for _, body in bodies]
    assert [device for part in taken for device in part.changed] == changed
    assert [uid for part in taken for uid in part.removed] == removed
    assert [count for count, _ in bodies] == [len(part.changed) + len(part.removed) for part in taken]
    assert all(count <= FRAME_MAX_ROWS and len(body) <= FRAME_MAX_BYTES for count, body in bodies)


def test_a_device_type_is_one_entry():
    count, body = frames.device_type_body({"slug": "thermostat", "metrics": []})
    assert (count, json.loads(f"{{{body}}}")) == (1, {"device_type": {"slug": "thermostat", "metrics": []}})


# --- the splice --------------------------------------------------------------------------------


def members(text: str) -> list[str]:
    pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=list)
    return [key for key, _ in pairs]


@given(st.lists(rows, min_size=1, max_size=5), texts, st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_spliced_readings_frame_is_json_with_its_members_in_order(
    given_rows: list[Row], stream: str, number: int, merged: int
):
    ((_, body),) = frames.readings_bodies(METRICS, given_rows)
    cursor = Cursor("thermostat", 5, {"main-1": 7}).encode()
    stream_json = msgspec.json.encode(stream).decode()
    text = (
        frames.head("readings", stream_json, number)
        + frames.with_cursor(cursor, body)
        + frames.tail("readings", merged)
    )
    assert members(text) == ["type", "stream", "frame", "cursor", "metrics", "rows", "merged"]
    document = json.loads(text)
    assert document["type"] == "readings"
    assert (document["stream"], document["frame"], document["merged"]) == (stream, number, merged)
    assert document["cursor"] == cursor


@pytest.mark.parametrize(
    ("kind", "body", "own"),
    [
        ("states", next(frames.states_bodies([StateChange("d1", "online", 1, "reading")]))[1], ["changes"]),
        ("devices", next(frames.devices_bodies([{"id": "d1"}], []))[1], ["changed", "removed"]),
        ("device_type", frames.device_type_body({"slug": "t"})[1], ["device_type"]),
    ],
)
def test_the_other_frames_are_spliced_in_the_same_order(kind: frames.FrameKind, body: str, own: list[str]):
    text = frames.head(kind, '"s1"', 1) + frames.with_cursor("t~1", body) + frames.tail(kind)
    assert members(text) == ["type", "stream", "frame", "cursor", *own]


# --- cursors -----------------------------------------------------------------------------------

cursors = st.builds(
    Cursor,
    st.from_regex(TYPE_SLUG_PATTERN, fullmatch=True),
    st.integers(0, 10**15),
    st.dictionaries(
        st.builds(
            frames.source_name, st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True), st.integers(0, 10**15)
        ),
        st.integers(0, MAX_SEQ),
        max_size=5,
    ),
)


@given(cursors)
def test_a_cursor_comes_back_as_it_went_out_and_needs_no_escaping(cursor: Cursor):
    text = cursor.encode()
    assert Cursor.decode(text) == cursor
    assert json.dumps(text) == f'"{text}"'


@given(st.text(max_size=60) | st.text(alphabet="abc~:0123456789.-_", max_size=60))
def test_a_cursor_of_a_stranger_is_read_or_refused(text: str):
    cursor = Cursor.decode(text)
    if cursor is not None:
        assert all(0 <= n < 10**16 for n in (cursor.made_ms, *cursor.positions.values()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "thermostat",
        "thermostat~",
        "thermostat~x",
        "thermostat~-1",
        "thermostat~1~",
        "thermostat~1~main-1",
        "thermostat~1~main-1:",
        "thermostat~1~main-1:-5",
        "thermostat~1~main-1:1_0",
        "thermostat~1~main-1:1:2",
        "thermostat~1~main-1:99999999999999999999",
        "thermostat~1~\ud800:1",
        "Thermostat~1",
        "thermostat~1 ",
        "thermostat~١",
        f"thermostat~{'1' * 5_000}",
    ],
)
def test_an_unreadable_cursor_is_none(text: str):
    assert Cursor.decode(text) is None


# --- layer events ------------------------------------------------------------------------------


def test_a_frame_survives_the_channel_layer():
    frame = Frame("thermostat", "main-1", 3, 4, "readings", 99, '"metrics":[],"rows":[]')
    event = frames.frame_event(frame)
    assert event["type"] == "hub.frame"
    assert frames.frame_of_event(event) == frame
    assert frames.group_name("thermostat") == "type.thermostat"
    with pytest.raises(msgspec.ValidationError):
        frames.frame_of_event({**event, "first": "three"})
