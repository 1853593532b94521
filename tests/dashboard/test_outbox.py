"""Outboxes: nothing lost while acknowledgements come, merged and counted when they do not."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard.outbox import Outbox
from dashboard.ring import Ring
from hub.protocol.frames import Cursor, Frame, StateChange
from tests.dashboard.making import SOURCE, TYPE, add, numbered, readings_frame, row, states_frame


class Reader:
    """A browser at the other end: what it got, and what it has not acknowledged yet."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.messages: list[dict[str, Any]] = []
        self.acked = 0

    def read(self, now_s: float) -> None:
        while (text := self.outbox.take(now_s)) is not None:
            self.messages.append(msgspec.json.decode(text))

    def ack(self) -> None:
        if self.messages:
            self.acked = self.messages[-1]["frame"]
            assert self.outbox.ack(self.acked)

    @property
    def rows(self) -> list[list[Any]]:
        return [each for message in self.messages for each in message.get("rows", ())]


def opened(ring: Ring, **options: Any) -> Reader:
    outbox = Outbox(ring, '"s1"', **options)
    outbox.open()
    return Reader(outbox)


def test_a_frame_is_sent_as_it_is_with_type_stream_number_and_cursor() -> None:
    ring = Ring("")
    reader = opened(ring)
    add(ring, readings_frame(1, [row("t-1", 10, t=21.5)]), 0.0)
    reader.read(0.0)
    assert reader.messages == [
        {
            "type": "readings",
            "stream": "s1",
            "frame": 1,
            "cursor": f"{TYPE}~10~{SOURCE}:1",
            "metrics": ["t"],
            "rows": [["t-1", 10, 15, None, [21.5]]],
            "merged": 0,
        }
    ]


def test_nothing_is_sent_before_the_snapshot() -> None:
    ring = Ring("")
    outbox = Outbox(ring, '"s1"')
    add(ring, numbered(1)[0], 0.0)
    assert outbox.take(0.0) is None
    outbox.open()
    assert outbox.take(0.0) is not None


def test_at_most_the_window_is_unacknowledged_and_what_waits_is_joined() -> None:
    ring = Ring("")
    reader = opened(ring, max_unacked=3)
    for frame in numbered(10):
        add(ring, frame, 0.0)
        reader.read(0.0)
    assert [message["frame"] for message in reader.messages] == [1, 2, 3]
    reader.ack()
    reader.read(0.1)
    assert len(reader.messages) == 4
    assert [each[1] for each in reader.rows] == list(range(1, 11))
    assert reader.messages[-1]["cursor"].endswith(":10")


def test_frames_with_other_columns_are_not_joined() -> None:
    ring = Ring("")
    reader = opened(ring)
    add(ring, readings_frame(1, [row("t-1", 1, t=1.0)]), 0.0)
    add(ring, readings_frame(2, [row("t-1", 2, humidity=2.0)]), 0.0)
    reader.read(0.0)
    assert [message["metrics"] for message in reader.messages] == [["t"], ["humidity"]]


def test_an_acknowledgement_of_a_frame_that_was_not_sent_is_refused() -> None:
    ring = Ring("")
    reader = opened(ring)
    add(ring, numbered(1)[0], 0.0)
    reader.read(0.0)
    assert not reader.outbox.ack(2)
    assert reader.outbox.unacked_s(1.0) == 1.0
    assert reader.outbox.ack(1)
    assert reader.outbox.unacked_s(1.0) == 0.0


def test_rows_far_behind_are_merged_value_by_value_and_counted() -> None:
    ring = Ring("")
    reader = opened(ring, max_unacked=1)
    add(ring, numbered(1)[0], 0.0)
    reader.read(0.0)
    add(ring, readings_frame(2, [row("t-1", 20, t=1.0, humidity=40.0), row("t-2", 20, t=5.0)]), 0.0)
    add(ring, readings_frame(4, [row("t-1", 30, t=3.0), row("t-1", 25, t=2.0)]), 0.1)
    reader.ack()
    reader.read(5.0)
    merged = reader.messages[-1]
    assert merged["merged"] == 2
    assert merged["rows"] == [["t-1", 30, 35, None, [3.0, 40.0]], ["t-2", 20, 25, None, [5.0, None]]]
    assert merged["cursor"].endswith(":5")


def test_rows_less_than_two_seconds_behind_stay_whole_behind_merged_ones() -> None:
    ring = Ring("")
    reader = opened(ring, max_unacked=1)
    for frame, arrived_s in zip(numbered(5), (0.0, 0.0, 0.5, 9.0, 9.5), strict=True):
        add(ring, frame, arrived_s)
        reader.read(0.0)
    for _ in range(2):
        reader.ack()
        reader.read(10.0)
    assert [[each[1] for each in message["rows"]] for message in reader.messages] == [[1], [3], [4, 5]]
    assert [message["merged"] for message in reader.messages] == [0, 1, 0]


def test_of_states_far_behind_the_newest_of_each_device_is_sent_in_order() -> None:
    ring = Ring("")
    reader = opened(ring)
    add(
        ring,
        states_frame(1, StateChange("a", "online", 1, "reading"), StateChange("b", "online", 2, "r")),
        0.0,
    )
    add(ring, states_frame(3, StateChange("a", "silent", 3, "no_reading")), 0.1)
    reader.read(9.0)
    assert reader.messages[0]["changes"] == [["b", "online", 2, "r"], ["a", "silent", 3, "no_reading"]]


def test_a_narrow_stream_gets_its_devices_only_and_its_cursor_moves_on_all_the_same() -> None:
    ring = Ring("")
    reader = opened(ring, wanted=frozenset({"t-2"}))
    add(ring, readings_frame(1, [row("t-1", 1, t=1.0), row("t-2", 2, t=2.0)]), 0.0)
    add(ring, readings_frame(3, [row("t-1", 3, t=3.0)]), 0.0)
    add(ring, states_frame(4, StateChange("t-1", "online", 4, "reading")), 0.0)
    reader.read(0.0)
    assert reader.rows == [["t-2", 2, 7, None, [2.0]]]
    assert reader.outbox.cursor.endswith(":4")


def test_a_narrow_stream_gets_the_states_of_its_devices() -> None:
    ring = Ring("")
    reader = opened(ring, wanted=frozenset({"t-2"}))
    add(ring, readings_frame(1, [row("t-2", 1, t=1.0)]), 0.0)
    add(
        ring, states_frame(2, StateChange("t-1", "silent", 2, "x"), StateChange("t-2", "silent", 3, "y")), 0.0
    )
    reader.read(0.0)
    assert [message["type"] for message in reader.messages] == ["readings", "states"]
    assert reader.messages[1]["changes"] == [["t-2", "silent", 3, "y"]]


def test_max_hz_lets_frames_wait_and_joins_them() -> None:
    ring = Ring("")
    reader = opened(ring, max_hz=2.0)
    for number, frame in enumerate(numbered(10)):
        add(ring, frame, number / 10)
        reader.read(number / 10)
        reader.ack()
    assert [len(message["rows"]) for message in reader.messages] == [1, 5]
    assert reader.outbox.due_s == 1.0


def test_a_ring_that_turned_over_says_that_something_fell_out() -> None:
    ring = Ring("", max_entries=3)
    reader = opened(ring)
    for frame in numbered(5):
        add(ring, frame, 0.0)
    assert reader.outbox.take(0.0) is None
    assert reader.outbox.has_fallen_out
    assert ring.start == 2
    assert ring.start_cursor.endswith(":2")


HISTORIES: st.SearchStrategy[list[tuple[str, Any]]] = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.lists(st.sampled_from("abc"), min_size=1, max_size=4)),
        st.tuples(st.just("ack"), st.none()),
        st.tuples(st.just("wait"), st.floats(0.01, 1.5)),
    ),
    max_size=60,
)
"""What happens to a stream: a frame arrives, the browser acknowledges, time passes."""


def play(
    history: list[tuple[str, Any]], max_hz: float | None, always_ack: bool
) -> tuple[Reader, list[Frame]]:
    ring, now_s, n = Ring(""), 0.0, 0
    reader = opened(ring, max_hz=max_hz, max_unacked=4)
    sent: list[Frame] = []
    for what, given_ in history:
        if what == "frame":
            rows = [
                row(device, n + at + 1, **{f"m{n % 2}": float(n + at)}) for at, device in enumerate(given_)
            ]
            sent.append(readings_frame(n + 1, rows))
            add(ring, sent[-1], now_s)
            n += len(rows)
        elif what == "wait":
            now_s += given_
        if what == "ack" or always_ack:
            reader.ack()
        reader.read(now_s)
        frame = reader.messages[-1]["frame"] if reader.messages else 0
        assert frame - reader.acked <= 4
    for _ in range(50):
        now_s += 0.01 if max_hz is None else 1.0
        reader.ack()
        reader.read(now_s)
    return reader, sent


@given(HISTORIES, st.sampled_from([None, 1.0, 5.0]))
def test_while_acknowledgements_come_no_row_is_lost_and_none_is_merged(
    history: list[tuple[str, Any]], max_hz: float | None
) -> None:
    reader, sent = play([step for step in history if step[0] != "wait"], max_hz, always_ack=True)
    assert [each[1] for each in reader.rows] == list(range(1, sum(f.last - f.first + 1 for f in sent) + 1))
    assert all(message["merged"] == 0 for message in reader.messages)


@given(HISTORIES)
def test_values_sent_and_values_merged_are_all_the_values_there_were(history: list[tuple[str, Any]]) -> None:
    reader, sent = play(history, None, always_ack=False)
    values = sum(1 for each in reader.rows for value in each[4] if value is not None)
    merged = sum(message["merged"] for message in reader.messages)
    assert values + merged == sum(f.last - f.first + 1 for f in sent)
    if sent:
        assert Cursor.decode(reader.outbox.cursor) == Cursor(TYPE, sent[-1].at_ms, {SOURCE: sent[-1].last})
