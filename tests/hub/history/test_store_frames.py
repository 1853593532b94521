"""The contract of the frame log and its heads. Run against every store."""

import pytest

from hub.history.store import Batch, Head, HistoryStore, StoreRefusedError
from hub.limits.live import FRAME_LOG_KEPT_MS, FRAME_LOG_PRUNE_EVERY_MS, HEADS_KEPT_MS
from hub.protocol.frames import Frame
from tests.hub.history.conftest import OpenStore
from tests.hub.history.examples import NOW, frame, reading


def log(store: HistoryStore, *frames: Frame, at_ms: int = NOW) -> None:
    store.append(Batch(at_ms, frames=frames))


def test_a_frame_comes_back_as_it_was(store: HistoryStore) -> None:
    one = Frame("pump", "main-1", 1, 3, "states", NOW - 5, '"changes":[["ü","online",1,"reading"]]')
    log(store, one)
    assert store.frames_page("pump", {}, 10) == [one]
    assert store.heads("pump") == {"main-1": Head(3, NOW, 0)}


def test_types_are_kept_apart(store: HistoryStore) -> None:
    log(store, frame(1), frame(5, device_type="fan"))
    assert store.heads("fan") == {"main-1": Head(5, NOW, 0)}
    assert [one.last for one in store.frames_page("pump", {}, 10)] == [1]
    assert store.heads("valve") == {}
    assert store.frames_page("valve", {}, 10) == []


def test_each_source_is_read_beyond_its_own_position_in_its_order(store: HistoryStore) -> None:
    log(store, frame(1), frame(2), at_ms=NOW)
    log(store, frame(1, source="main-2"), frame(3), frame(2, source="main-2"), at_ms=NOW + 1)
    assert store.heads("pump") == {"main-1": Head(3, NOW + 1, 0), "main-2": Head(2, NOW + 1, 0)}
    page = store.frames_page("pump", {"main-1": 1, "main-3": 9}, 10)
    assert [(one.source, one.last) for one in page] == [
        ("main-1", 2),
        ("main-1", 3),
        ("main-2", 1),
        ("main-2", 2),
    ]


def test_a_log_can_be_read_page_by_page_without_a_hole(store: HistoryStore) -> None:
    for n in range(1, 8):
        log(store, frame(n), frame(n, source="main-2"), at_ms=NOW + n)
    positions: dict[str, int] = {}
    seen: list[tuple[str, int]] = []
    while page := store.frames_page("pump", positions, 3):
        assert len(page) <= 3
        for one in page:
            assert one.first == positions.get(one.source, 0) + 1
            positions[one.source] = one.last
            seen.append((one.source, one.last))
    assert len(seen) == 14
    assert positions == {"main-1": 7, "main-2": 7}


def test_a_position_beyond_the_head_reads_nothing(store: HistoryStore) -> None:
    log(store, frame(1))
    assert store.frames_page("pump", {"main-1": 1}, 10) == []
    assert store.frames_page("pump", {"main-1": 100}, 10) == []


def test_the_registry_version_moves_with_the_append_and_never_back(store: HistoryStore) -> None:
    place = ("pump", "main-1")
    store.append(Batch(NOW, registry_versions={place: 4}))
    assert store.heads("pump") == {"main-1": Head(0, NOW, 4)}
    store.append(Batch(NOW + 1, frames=[frame(1)], registry_versions={place: 6}))
    store.append(Batch(NOW + 2, frames=[frame(2)], registry_versions={("fan", "main-1"): 9}))
    store.append(Batch(NOW + 3, registry_versions={place: 5}))
    assert store.heads("pump") == {"main-1": Head(2, NOW + 3, 6)}
    assert store.heads("fan") == {"main-1": Head(0, NOW + 2, 9)}


def test_frames_of_a_refused_batch_are_not_logged(store: HistoryStore) -> None:
    with pytest.raises(StoreRefusedError):
        store.append(Batch(NOW, [reading(seq=2**64)], frames=[frame(1)]))
    assert store.heads("pump") == {}
    assert store.frames_page("pump", {}, 10) == []


def test_frames_older_than_the_log_keeps_are_removed_by_an_append(store: HistoryStore) -> None:
    log(store, frame(1, at_ms=NOW), at_ms=NOW)
    log(store, frame(2, at_ms=NOW + 60_000), at_ms=NOW + 60_000)
    log(store, at_ms=NOW + FRAME_LOG_KEPT_MS + 1)
    assert [one.last for one in store.frames_page("pump", {}, 10)] == [2]
    assert store.heads("pump")["main-1"].last == 2
    log(store, at_ms=NOW + FRAME_LOG_KEPT_MS + 60_001 + FRAME_LOG_PRUNE_EVERY_MS)
    assert store.size().num_frames == 0
    later = NOW + 2 * FRAME_LOG_KEPT_MS
    log(store, frame(3, at_ms=later), at_ms=later)
    assert [one.last for one in store.frames_page("pump", {"main-1": 2}, 10)] == [3]


def test_the_log_is_cut_to_its_bytes_oldest_first(open_store: OpenStore) -> None:
    store = open_store(frame_log_bytes=1_000)
    for n in range(1, 31):
        at_ms = NOW + n * FRAME_LOG_PRUNE_EVERY_MS
        log(store, frame(n, at_ms=at_ms, body="ü" * 50), at_ms=at_ms)
    assert [one.last for one in store.frames_page("pump", {}, 100)] == list(range(21, 31))


def test_a_log_that_grew_while_nobody_wrote_is_cut_by_another_writer_too(open_store: OpenStore) -> None:
    large = open_store(frame_log_bytes=100_000)
    log(large, *[frame(n, body="x" * 100) for n in range(1, 31)])
    small = open_store(frame_log_bytes=1_000)
    log(small, frame(31, body="x" * 100))
    assert [one.last for one in small.frames_page("pump", {}, 100)] == list(range(22, 32))


def test_a_source_not_heard_for_a_week_is_forgotten(store: HistoryStore) -> None:
    log(store, frame(1), at_ms=NOW)
    log(store, frame(1, source="main-2"), at_ms=NOW + HEADS_KEPT_MS + 1)
    assert list(store.heads("pump")) == ["main-2"]
