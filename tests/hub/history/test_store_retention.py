"""The law of pruning: whatever comes when, what charts of whole hours say is what ever came."""

import functools
import itertools
from collections import defaultdict

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.history.rollups import Summary, joined, summary
from hub.history.store import BucketColumn, Cutoffs, HistoryStore, Reading
from hub.protocol.telemetry import Value
from tests.hub.history.conftest import OpenStore
from tests.hub.history.examples import NOW, batch_of

HOUR = 3_600_000
START = NOW - NOW % (24 * HOUR)
HOURS = 4
DEVICES = (1, 2)
_days = itertools.count()
FOREVER = 2**62

READINGS = st.builds(
    lambda device, at, values: Reading(device, at * 61_000, NOW, None, values),
    st.sampled_from(DEVICES),
    st.integers(0, HOURS * HOUR // 61_000),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 2.5, -3, True, "x"]), min_size=1),
)
APPENDS = st.lists(READINGS, min_size=8, max_size=30)
STEPS = st.tuples(st.none() | APPENDS, st.integers(0, HOURS), st.none() | st.integers(0, HOURS))


class Model:
    """All that ever came: by device and time while readings are kept, as it came when they are not."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], dict[str, Value]] = {}
        self.gone: list[tuple[int, int, dict[str, Value]]] = []

    def append(self, readings: list[Reading], closed_to: dict[int, int]) -> None:
        late: dict[tuple[int, int], dict[str, Value]] = {}
        for one in readings:
            place = late if one.ts_ms < closed_to[one.device] else self.kept
            place.setdefault((one.device, one.ts_ms), {}).update(one.values)
        self.gone += [(*key, values) for key, values in late.items()]

    def close(self, closed_to: dict[int, int]) -> None:
        for device, ts_ms in [key for key in self.kept if key[1] < closed_to[key[0]]]:
            self.gone.append((device, ts_ms, self.kept.pop((device, ts_ms))))

    def hours(self, device: int) -> dict[tuple[str, int], Summary]:
        values: dict[tuple[str, int], list[Value]] = defaultdict(list)
        for held, ts_ms, one in [*((*key, values) for key, values in self.kept.items()), *self.gone]:
            for metric, value in one.items():
                if held == device:
                    values[metric, ts_ms - ts_ms % HOUR].append(value)
        return {key: summary(held) for key, held in values.items()}


def shown(
    store: HistoryStore, device: int, start: int
) -> dict[tuple[str, int], tuple[int, float | None, float | None]] | None:
    """Count, minimum and maximum by metric and hour; None when single readings are shown."""
    # The last of closed hours is whatever it was when they were closed.
    columns = store.read(device, [], start, start + (HOURS + 1) * HOUR, HOURS + 1)
    if columns.bucket_ms is None:
        return None
    assert HOUR % columns.bucket_ms == 0
    found: dict[tuple[str, int], list[Summary]] = defaultdict(list)
    for metric, column in columns.metrics.items():
        assert isinstance(column, BucketColumn)
        for n, ts in enumerate(columns.ts):
            if column.count[n]:
                bucket = Summary(column.count[n], 0, 0, column.min[n], column.max[n], 0)
                found[metric, ts - ts % HOUR].append(bucket)
    hours = {key: functools.reduce(joined, buckets) for key, buckets in found.items()}
    return {key: (hour.num_values, hour.minimum, hour.maximum) for key, hour in hours.items()}


@given(steps=st.lists(STEPS, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_pruned_stays_in_the_rollups_and_late_readings_join_it(
    open_store: OpenStore, steps: list[tuple[list[Reading] | None, int, int | None]]
) -> None:
    store, model = open_store(), Model()
    # A day of its own: how far a store is rolled up never goes back.
    start = START + next(_days) * 24 * HOUR
    for device in DEVICES:
        store.delete(device)
    for readings, rolled_hours, pruned_hours in steps:
        if readings is not None:
            readings = [msgspec.structs.replace(one, ts_ms=start + one.ts_ms) for one in readings]
            model.append(readings, {device: store.rollup_state(device).closed_to for device in DEVICES})
            store.append(batch_of(*readings))
        store.roll(start + rolled_hours * HOUR, 30.0)
        if pruned_hours is not None:
            store.prune(Cutoffs(raw=dict.fromkeys(DEVICES, start + pruned_hours * HOUR)))
            model.close({device: store.rollup_state(device).closed_to for device in DEVICES})
        for device in DEVICES:
            rows = {row.ts_ms: row.values for row in store.rows_page(device, 0, FOREVER, 0, 5_000)}
            assert rows == {ts_ms: values for (held, ts_ms), values in model.kept.items() if held == device}
            for ledger in store.ledger([device]).values():
                assert ledger.stored - ledger.pruned == len(rows)
            hours = shown(store, device, start)
            expected = {
                key: (one.num_values, one.minimum, one.maximum) for key, one in model.hours(device).items()
            }
            assert hours is None or hours == expected
    store.close()
