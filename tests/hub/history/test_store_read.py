"""The contract of reading: columns, buckets, pages, deletion and size. Run against every store."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.history.store import Batch, BucketColumn, Columns, HistoryStore, RawColumn
from hub.limits.history import DELETE_SLICE_ROWS, ROWS_PAGE_MAX
from hub.protocol.telemetry import Value
from tests.hub.history.examples import DEVICE, NOW, batch_of, frame, reading

START = NOW - NOW % 86_400_000
END = START + 86_400_000


def fill(store: HistoryStore, number: int, step_ms: int = 1_000) -> None:
    store.append(batch_of(*[reading(START + n * step_ms, {"t": n}) for n in range(number)]))


def bucketed(columns: Columns, metric: str) -> BucketColumn:
    column = columns.metrics[metric]
    assert isinstance(column, BucketColumn)
    return column


def test_few_readings_come_back_as_they_are(store: HistoryStore) -> None:
    store.append(batch_of(reading(START, {"t": 1.5}), reading(START + 1, {"mode": "eco", "door": True})))
    columns = store.read(DEVICE, [], START, END, 10)
    assert columns == Columns(
        START,
        END,
        "raw",
        None,
        [START, START + 1],
        {
            "t": RawColumn([1.5, None]),
            "mode": RawColumn([None, "eco"]),
            "door": RawColumn([None, True]),
        },
    )


def test_the_start_of_a_range_belongs_to_it_and_its_end_does_not(store: HistoryStore) -> None:
    fill(store, 3)
    assert store.read(DEVICE, [], START, START + 2_000, 10).ts == [START, START + 1_000]
    assert store.read(DEVICE, ["t"], START + 2_000, START + 2_000, 10).ts == []
    assert store.read(DEVICE, [], END, START, 10).ts == []


def test_nothing_stored_is_empty_columns(store: HistoryStore) -> None:
    assert store.read(DEVICE, ["t"], START, END, 10).metrics == {"t": RawColumn([])}
    assert store.read(DEVICE, [], -(2**80), 2**80, 10).metrics == {}


def test_only_readings_with_a_chosen_metric_are_counted_and_shown(store: HistoryStore) -> None:
    fill(store, 50)
    store.append(batch_of(reading(START + 500, {"mode": "eco"}), reading(START + 9_000, {"mode": "off"})))
    columns = store.read(DEVICE, ["mode", "none"], START, END, 10)
    assert columns.ts == [START + 500, START + 9_000]
    assert columns.metrics == {"mode": RawColumn(["eco", "off"]), "none": RawColumn([None, None])}


def test_exactly_as_many_readings_as_points_stay_raw(store: HistoryStore) -> None:
    fill(store, 10)
    assert store.read(DEVICE, [], START, END, 10).bucket_ms is None
    assert store.read(DEVICE, [], START, END, 9).bucket_ms == 2_000


def test_a_spike_survives_in_buckets(store: HistoryStore) -> None:
    fill(store, 600)
    store.append(
        batch_of(reading(START + 300_500, {"t": 9_999.0}), reading(START + 301_500, {"t": -9_999.0}))
    )
    columns = store.read(DEVICE, ["t"], START, END, 10)
    assert columns.bucket_ms == 60_000
    assert columns.ts == [START + n * 60_000 for n in range(10)]
    column = bucketed(columns, "t")
    assert (column.max[5], column.min[5]) == (9_999.0, -9_999.0)
    assert (column.min[0], column.max[0], column.mean[0], column.last[0], column.count[0]) == (
        0,
        59,
        29.5,
        59,
        60,
    )
    assert sum(column.count) == 602


def test_silence_stays_silence_in_buckets(store: HistoryStore) -> None:
    fill(store, 100)
    store.append(batch_of(*[reading(START + 3_600_000 + n * 1_000, {"t": n}) for n in range(100)]))
    columns = store.read(DEVICE, [], START, END, 20)
    assert columns.bucket_ms == 300_000
    assert columns.ts == [START, START + 3_600_000]


def test_booleans_are_counted_as_0_and_1_and_text_has_its_last_value(store: HistoryStore) -> None:
    values: list[dict[str, Value]] = [
        {"door": False, "mode": "eco"},
        {"door": True},
        {"door": True, "mode": "off"},
    ]
    store.append(batch_of(*[reading(START + n, one) for n, one in enumerate(values)]))
    store.append(batch_of(reading(START + 60_000, {"t": 1})))
    columns = store.read(DEVICE, [], START, END, 2)
    assert columns.ts == [START, START + 60_000]
    door, mode, t = (bucketed(columns, metric) for metric in ("door", "mode", "t"))
    assert (door.min, door.max, door.last, door.count) == ([0, None], [1, None], [True, None], [3, 0])
    assert str(door.min[0]) == "0"
    assert door.mean == [pytest.approx(2 / 3), None]
    assert mode == BucketColumn([None] * 2, [None] * 2, [None] * 2, ["off", None], [2, 0])
    assert t == BucketColumn([None, 1], [None, 1], [None, 1.0], [None, 1], [0, 1])


@given(
    times=st.sets(st.integers(1, 10**9), min_size=2, max_size=60),
    points=st.integers(1, 20),
    scale=st.sampled_from([1, 1_000, 10**6]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_buckets_hold_every_reading_and_are_never_more_than_points(
    store: HistoryStore, times: set[int], points: int, scale: int
) -> None:
    store.delete(DEVICE)
    store.append(batch_of(*[reading(ts * scale, {"t": ts}) for ts in times]))
    columns = store.read(DEVICE, [], 0, 2**62, points)
    assert len(columns.ts) <= points
    if columns.bucket_ms is None:
        assert columns.ts == [ts * scale for ts in sorted(times)]
        return
    width = columns.bucket_ms
    column = bucketed(columns, "t")
    for n, start in enumerate(columns.ts):
        inside = [ts for ts in sorted(times) if start <= ts * scale < start + width]
        assert (column.count[n], column.min[n], column.max[n]) == (len(inside), inside[0], inside[-1])
        assert column.mean[n] == pytest.approx(sum(inside) / len(inside))
        assert column.last[n] == inside[-1]
    assert sum(column.count) == len(times)


def test_more_readings_than_a_page_are_all_in_the_buckets(store: HistoryStore) -> None:
    number = 2 * ROWS_PAGE_MAX + 1
    fill(store, number)
    columns = store.read(DEVICE, [], START, END, 100)
    assert sum(bucketed(columns, "t").count) == number
    assert bucketed(columns, "t").last[-1] == number - 1


def test_no_points_at_all_is_a_mistake(store: HistoryStore) -> None:
    with pytest.raises(ValueError, match="points"):
        store.read(DEVICE, [], START, END, 0)


def test_rows_come_page_by_page_without_a_hole(store: HistoryStore) -> None:
    fill(store, 25)
    seen: list[int] = []
    after_ms = 0
    while page := store.rows_page(DEVICE, START + 1_000, START + 24_000, after_ms, 10):
        assert len(page) <= 10
        seen += [row.ts_ms for row in page]
        after_ms = page[-1].ts_ms
    assert seen == [START + n * 1_000 for n in range(1, 24)]


def test_a_page_is_never_longer_than_the_limit_allows(store: HistoryStore) -> None:
    fill(store, ROWS_PAGE_MAX + 1)
    assert len(store.rows_page(DEVICE, 0, END, 0, 10**9)) == ROWS_PAGE_MAX
    assert store.rows_page(DEVICE, 0, END, 0, -1) == []


# --- deletion and size ---------------------------------------------------------------------


def test_a_deleted_device_leaves_nothing_and_its_neighbours_stay(store: HistoryStore) -> None:
    number = 2 * DELETE_SLICE_ROWS + 7
    fill(store, number)
    store.append(batch_of(reading(START, device=8)))
    assert store.delete(DEVICE) == number
    assert not store.has_readings(DEVICE)
    assert store.latest([DEVICE]) == {}
    assert store.ledger([DEVICE]) == {}
    assert store.has_readings(8)
    assert store.delete(DEVICE) == 0


def test_after_its_deletion_a_device_begins_anew(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 1, "h": 40})))
    store.delete(DEVICE)
    store.append(batch_of(reading(NOW - 1_000, {"t": 2})))
    assert store.latest([DEVICE])[DEVICE].values == {"t": (2, NOW - 1_000)}
    assert store.ledger([DEVICE])[DEVICE].stored == 1


def test_size_counts_readings_frames_and_bytes(store: HistoryStore) -> None:
    fill(store, 30)
    store.append(Batch(NOW, frames=[frame(1), frame(2)]))
    store.append(batch_of(reading(START, {"t": 0}), reading(START, device=8)))
    size = store.size()
    assert (size.num_readings, size.num_frames) == (31, 2)
    assert size.num_bytes > 4_096
