"""The rules by which readings merge, without a store."""

import pytest

from hub.history.merging import changes, counts, merged, renew
from hub.history.store import Outcome
from hub.protocol.telemetry import Value
from tests.hub.history.examples import NOW, reading


@pytest.mark.parametrize(
    ("stored", "arrived", "result"),
    [
        ({"t": 1}, {"t": 1}, None),
        ({"t": 1}, {"t": 1.0}, None),
        ({"t": 1}, {"t": True}, {"t": True}),
        ({"t": False}, {"t": 0}, {"t": 0}),
        ({"t": 1}, {"h": 2}, {"t": 1, "h": 2}),
        ({"t": 1, "h": 2}, {"h": 3}, {"t": 1, "h": 3}),
        ({"t": "1"}, {"t": 1}, {"t": 1}),
    ],
)
def test_merging_changes_something_or_is_none(
    stored: dict[str, Value], arrived: dict[str, Value], result: dict[str, Value] | None
) -> None:
    outcome = merged(stored, arrived)
    assert outcome == result
    assert str(outcome) == str(result)


def test_a_row_that_is_there_and_one_that_is_new_are_told_apart() -> None:
    first = changes([reading(NOW, {"t": 1})], {})
    there = dict(first.new)
    second = changes([reading(NOW, {"t": 2}), reading(NOW + 1, {"t": 1}), reading(NOW + 1, {"h": 1})], there)
    assert second.outcomes == [Outcome.UPDATED, Outcome.STORED, Outcome.UPDATED]
    assert [row.values for row in second.changed.values()] == ['{"t":2}']
    assert [row.values for row in second.new.values()] == ['{"t":1,"h":1}']


def test_equal_ranks_give_way_to_what_arrived_last() -> None:
    newest = renew(None, reading(NOW, {"t": 1}))
    assert renew(newest, reading(NOW, {"t": 2})).values["t"] == (2, NOW, NOW)


def test_outcomes_are_counted_by_device() -> None:
    readings = [reading(NOW), reading(NOW, device=8), reading(NOW), reading(NOW, {"t": 0})]
    outcomes = [Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.UPDATED]
    assert counts(readings, outcomes) == {7: (1, 1, 1), 8: (1, 0, 0)}
