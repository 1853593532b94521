"""The contract of append: outcomes, merging, latest values and the ledger. Run against every store."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.history.store import (
    UNKNOWN_DEVICE,
    Arrivals,
    Batch,
    HistoryStore,
    Ledger,
    Outcome,
    RawRow,
    Reading,
    StoreError,
    StoreRefusedError,
)
from hub.limits.history import SQLITE_BULK_ROWS
from hub.protocol.telemetry import Value
from tests.hub.history.conftest import OpenStore
from tests.hub.history.examples import DEVICE, NOW, batch_of, reading

STORED, UPDATED, DUPLICATE = Outcome.STORED, Outcome.UPDATED, Outcome.DUPLICATE


def rows_of(store: HistoryStore, device: int = DEVICE) -> list[RawRow]:
    return store.rows_page(device, 0, 2**53, 0, 5_000)


def test_a_reading_is_stored_once_however_often_it_comes(store: HistoryStore) -> None:
    first = reading(NOW, {"t": 21.5, "door": True, "mode": "eco"}, received_ms=NOW + 3, seq=17)
    assert store.append(batch_of(first)) == [STORED]
    again = reading(NOW, {"mode": "eco", "t": 21.5, "door": True}, received_ms=NOW + 9_000, seq=17)
    assert store.append(batch_of(again, again)) == [DUPLICATE, DUPLICATE]
    assert rows_of(store) == [RawRow(NOW, NOW + 3, 17, {"t": 21.5, "door": True, "mode": "eco"})]


def test_readings_with_one_time_are_one_reading_and_the_newest_value_wins(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 1.0, "h": 40.0})))
    assert store.append(batch_of(reading(NOW, {"t": 2.0, "p": 9}))) == [UPDATED]
    assert rows_of(store)[0].values == {"t": 2.0, "h": 40.0, "p": 9}


def test_equal_times_in_one_batch_count_as_if_they_had_come_singly(store: HistoryStore) -> None:
    outcomes = store.append(
        batch_of(
            reading(NOW, {"t": 1.0}),
            reading(NOW, {"h": 40.0}),
            reading(NOW, {"t": 1.0, "h": 40.0}),
            reading(NOW, {"t": 1.0}, device=8),
            reading(NOW, {"t": 3.0}),
        )
    )
    assert outcomes == [STORED, UPDATED, DUPLICATE, STORED, UPDATED]
    assert rows_of(store)[0].values == {"t": 3.0, "h": 40.0}
    assert store.append(batch_of(reading(NOW, {"t": 4.0}), reading(NOW, {"t": 4.0}))) == [UPDATED, DUPLICATE]


@pytest.mark.parametrize("value", [21, 21.0, 1e15, 1e-7, -0.0, 0.1 + 0.2, 2**53, True, 'ü\n"null"', ""])
def test_a_value_comes_back_as_it_was_and_its_repeat_changes_nothing(
    store: HistoryStore, value: Value
) -> None:
    store.append(batch_of(reading(NOW, {"v": value})))
    assert store.append(batch_of(reading(NOW, {"v": value}), reading(NOW, {"w": 1}))) == [DUPLICATE, UPDATED]
    assert store.append(batch_of(reading(NOW, {"v": value}))) == [DUPLICATE]
    stored = rows_of(store)[0].values["v"]
    assert stored == value
    assert type(stored) is type(value)


def test_21_and_21_point_0_are_one_number_but_1_and_true_are_two_values(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 21, "b": 1})))
    assert store.append(batch_of(reading(NOW, {"t": 21.0}))) == [DUPLICATE]
    assert store.append(batch_of(reading(NOW, {"b": True}))) == [UPDATED]


def test_a_row_keeps_its_first_arrival_and_takes_a_seq_that_it_had_not(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 1}, received_ms=NOW + 1)))
    store.append(batch_of(reading(NOW, {"t": 2}, received_ms=NOW + 2, seq=5)))
    store.append(batch_of(reading(NOW, {"t": 3}, received_ms=NOW + 3, seq=6)))
    assert rows_of(store) == [RawRow(NOW, NOW + 1, 5, {"t": 3})]


def test_a_batch_longer_than_a_statement_is_stored_whole(store: HistoryStore) -> None:
    number = 2 * SQLITE_BULK_ROWS + 13
    readings = [reading(NOW + n, {"t": n}, device=n % 5 + 1) for n in range(number)]
    assert store.append(batch_of(*readings)) == [STORED] * number
    assert store.append(batch_of(*readings)) == [DUPLICATE] * number
    assert sum(len(rows_of(store, device)) for device in range(1, 6)) == number


def test_an_empty_batch_is_nothing(store: HistoryStore) -> None:
    assert store.append(Batch(NOW)) == []
    assert store.size().num_readings == 0


# --- latest ------------------------------------------------------------------------------


def test_latest_holds_the_newest_value_of_each_metric(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 1, "h": 40}, seq=1), reading(NOW + 1_000, {"t": 2}, seq=2)))
    latest = store.latest([DEVICE, 99])
    assert list(latest) == [DEVICE]
    assert latest[DEVICE].values == {"t": (2, NOW + 1_000), "h": (40, NOW)}
    assert (latest[DEVICE].ts_ms, latest[DEVICE].received_ms, latest[DEVICE].seq) == (NOW + 1_000,) * 2 + (2,)


def test_a_late_reading_gives_only_what_was_not_known(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW, {"t": 2}, seq=2)))
    store.append(batch_of(reading(NOW - 60_000, {"t": 1, "h": 40}, received_ms=NOW + 5, seq=1)))
    latest = store.latest([DEVICE])[DEVICE]
    assert latest.values == {"t": (2, NOW), "h": (40, NOW - 60_000)}
    assert (latest.ts_ms, latest.seq) == (NOW, 2)


def test_a_device_whose_clock_was_ahead_is_not_stuck_with_that_value(store: HistoryStore) -> None:
    store.append(batch_of(reading(NOW + 300_000, {"t": 1}, received_ms=NOW)))
    store.append(batch_of(reading(NOW + 1_000, {"t": 2}, received_ms=NOW + 1_000)))
    assert store.latest([DEVICE])[DEVICE].values == {"t": (2, NOW + 1_000)}


def test_a_repeat_is_no_newer_for_coming_again(store: HistoryStore) -> None:
    ahead = reading(NOW + 300_000, {"t": 1}, received_ms=NOW)
    store.append(batch_of(ahead, reading(NOW + 301_000, {"t": 2}, received_ms=NOW + 1_000)))
    again = reading(NOW + 300_000, {"t": 1}, received_ms=NOW + 9_000)
    assert store.append(batch_of(again)) == [DUPLICATE]
    assert store.latest([DEVICE])[DEVICE].values == {"t": (2, NOW + 301_000)}


def test_two_writers_of_one_store_see_each_others_latest_values(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    one.append(batch_of(reading(NOW, {"t": 1})))
    other.append(batch_of(reading(NOW + 2_000, {"t": 3, "h": 40})))
    one.append(batch_of(reading(NOW + 1_000, {"t": 2})))
    assert one.latest([DEVICE])[DEVICE].values == {"t": (3, NOW + 2_000), "h": (40, NOW + 2_000)}


# --- ledger ------------------------------------------------------------------------------


def test_the_ledger_adds_what_the_caller_says_to_what_the_store_counted(store: HistoryStore) -> None:
    arrivals = {
        DEVICE: Arrivals(
            received=4, rejected=1, values_rejected=2, lost_before_hub=3, last_seq=9, holes=[(4, 6)]
        ),
        8: Arrivals(received=1, rejected=1),
        UNKNOWN_DEVICE: Arrivals(received=5, rejected=5),
    }
    readings = [reading(NOW), reading(NOW), reading(NOW, {"t": 0})]
    store.append(Batch(NOW, readings, arrivals))
    assert store.ledger([DEVICE, 8, UNKNOWN_DEVICE, 99]) == {
        DEVICE: Ledger(4, 1, 1, 1, 1, 2, 0, 3, 9, [(4, 6)]),
        8: Ledger(received=1, rejected=1),
        UNKNOWN_DEVICE: Ledger(received=5, rejected=5),
    }
    store.append(Batch(NOW, [], {DEVICE: Arrivals(lost_before_hub=-3, holes=[])}))
    assert store.ledger([DEVICE])[DEVICE] == Ledger(4, 1, 1, 1, 1, 2, 0, 0, 9, [])
    store.append(Batch(NOW, [], {DEVICE: Arrivals(last_seq=10)}))
    assert store.ledger([DEVICE])[DEVICE].last_seq == 10


class Model:
    """What a store should hold, in the plainest words."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], dict[str, Value]] = {}
        self.latest: dict[tuple[int, str], tuple[int, Value, int]] = {}

    def apply(self, one: Reading) -> Outcome:
        held = self.rows.get((one.device, one.ts_ms))
        values = dict(one.values)
        if held is not None and held | values == held:
            return DUPLICATE
        self.rows[one.device, one.ts_ms] = values if held is None else held | values
        rank = min(one.ts_ms, one.received_ms)
        for metric, value in values.items():
            if self.latest.get((one.device, metric), (0, 0, 0))[0] <= rank:
                self.latest[one.device, metric] = (rank, value, one.ts_ms)
        return UPDATED if held is not None else STORED


READINGS = st.builds(
    lambda device, ts, received, values: Reading(device, ts, received, None, values),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 6),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, 2.5, "x"]), min_size=1),
)


@given(batches=st.lists(st.lists(READINGS, max_size=12), max_size=5), rejected=st.integers(0, 3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_outcomes_rows_latest_and_both_laws_hold_for_any_batches(
    store: HistoryStore, batches: list[list[Reading]], rejected: int
) -> None:
    for device in (1, 2, 3):
        store.delete(device)
    model = Model()
    for readings in batches:
        received = {device: sum(one.device == device for one in readings) for device in (1, 2, 3)}
        arrivals = {d: Arrivals(received=n + rejected, rejected=rejected) for d, n in received.items()}
        assert store.append(Batch(NOW, readings, arrivals)) == [model.apply(one) for one in readings]
    for device in (1, 2, 3):
        rows = {(device, row.ts_ms): row.values for row in rows_of(store, device)}
        assert rows == {key: values for key, values in model.rows.items() if key[0] == device}
        latest = store.latest([device])
        values = latest[device].values if latest else {}
        assert {(device, metric): value for metric, value in values.items()} == {
            key: (value, ts) for key, (_, value, ts) in model.latest.items() if key[0] == device
        }
        ledger = store.ledger([device]).get(device, Ledger())
        assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
        assert ledger.stored - ledger.pruned == len(rows)
    assert store.size().num_readings == len(model.rows)


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "poison",
    [
        reading(NOW, {"mode": "\ud800"}),
        reading(NOW, {"\udfff": 1}),
        reading(NOW, {"t": math.nan}),
        reading(NOW, {"t": 1.0, "u": math.inf}),
        reading(NOW, seq=2**64),
        reading(2**63, received_ms=NOW),
        reading(NOW, device=-(2**70)),
        reading(NOW, {"t": object()}),  # type: ignore[dict-item]
    ],
)
def test_a_reading_that_cannot_be_stored_is_refused_and_nothing_of_its_batch_stays(
    store: HistoryStore, poison: Reading
) -> None:
    good = reading(NOW - 1, {"t": 1})
    with pytest.raises(StoreRefusedError, match=r"\.$"):
        store.append(batch_of(good, poison))
    assert rows_of(store) == []
    assert store.latest([DEVICE]) == {}
    assert store.ledger([DEVICE]) == {}
    assert store.append(batch_of(good)) == [STORED]


def test_what_is_not_a_reading_is_never_blamed_on_the_readings(store: HistoryStore) -> None:
    with pytest.raises(StoreError) as caught:
        store.append(Batch(NOW, [reading()], {DEVICE: Arrivals(received=2**70)}))
    assert not isinstance(caught.value, StoreRefusedError)
    assert store.append(batch_of(reading())) == [STORED]


def test_a_closed_store_says_so(store: HistoryStore) -> None:
    store.append(batch_of(reading()))
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append(batch_of(reading()))
    with pytest.raises(StoreError, match="closed"):
        store.latest([DEVICE])
