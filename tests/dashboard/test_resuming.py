"""Which frames a cursor still misses."""

from dashboard.resuming import Replay, cursor_of
from hub.history.store import Head
from hub.limits.live import FRAME_LOG_KEPT_MS
from hub.protocol.frames import Cursor
from tests.dashboard.making import SOURCE, TYPE, numbered

NOW_MS = 10 * FRAME_LOG_KEPT_MS


def heads(**last: int) -> dict[str, Head]:
    return {source: Head(n, NOW_MS, 0) for source, n in last.items()}


def test_a_cursor_of_another_type_or_no_cursor_at_all_is_none() -> None:
    assert cursor_of("pump~1~a:1", TYPE) is None
    assert cursor_of("", TYPE) is None
    assert cursor_of(f"{TYPE}~1~a:x", TYPE) is None
    assert cursor_of(f"{TYPE}~1~a:1", TYPE) == Cursor(TYPE, 1, {"a": 1})


def test_a_source_that_the_cursor_does_not_name_is_replayed_from_its_beginning() -> None:
    replay = Replay(Cursor(TYPE, NOW_MS, {}), heads(a=3), {"a": 3})
    assert replay.missed() == 3
    assert [entry.last for entry in replay.entries(numbered(3, source="a"), 0.0)] == [1, 2, 3]
    assert replay.is_done


def test_a_source_that_was_forgotten_when_the_cursor_was_made_is_left_out() -> None:
    old = {"a": Head(3, NOW_MS - FRAME_LOG_KEPT_MS - 1, 0)}
    replay = Replay(Cursor(TYPE, NOW_MS, {}), old, {"a": 3})
    assert replay.missed() == 0
    assert not replay.is_cut([])
    assert replay.is_done


def test_what_was_missed_is_unknown_when_a_source_of_the_cursor_is_gone() -> None:
    assert Replay(Cursor(TYPE, NOW_MS, {"b": 1}), heads(a=3), {"a": 3}).missed() is None


def test_a_log_that_begins_behind_the_cursor_is_cut() -> None:
    replay = Replay(Cursor(TYPE, NOW_MS, {SOURCE: 2}), {SOURCE: Head(9, NOW_MS, 0)}, {SOURCE: 9})
    assert not replay.is_cut(numbered(7, first=3))
    assert replay.is_cut(numbered(6, first=4))
    assert replay.is_cut([])


def test_what_is_cut_off_during_the_replay_counts_as_lost() -> None:
    replay = Replay(Cursor(TYPE, NOW_MS, {SOURCE: 0}), {SOURCE: Head(9, NOW_MS, 0)}, {SOURCE: 9})
    replay.entries(numbered(2), 0.0)
    replay.entries(numbered(4, first=6), 0.0)
    assert replay.lost == 3
    assert replay.is_done


def test_frames_that_the_ring_will_bring_are_not_replayed_and_the_log_is_read_on() -> None:
    replay = Replay(Cursor(TYPE, NOW_MS, {SOURCE: 0}), {SOURCE: Head(5, NOW_MS, 0)}, {SOURCE: 2})
    assert [entry.last for entry in replay.entries(numbered(4), 0.0)] == [1, 2]
    assert replay.is_done
    assert replay.positions == {SOURCE: 4}
