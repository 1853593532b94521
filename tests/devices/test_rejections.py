"""Refusals are kept a row per device, reason, metric and ten minutes, with the newest payload."""

from typing import Any

import msgspec
import pytest

from devices import rejections
from devices.models import Rejection
from devices.rejections import Refused
from hub.limits.bridge import REJECTION_DETAIL_CHARS, REJECTION_METRICS_PER_DEVICE, REJECTION_WINDOW_MS
from hub.limits.telemetry import MAX_PAYLOAD_BYTES

pytestmark = pytest.mark.django_db
START_MS = 1_763_796_000_000
GIVEN = Refused(None, "t9", "thermostat", "not_json", "", "a sentence", b"{", START_MS)


def given(**changes: Any) -> Refused:
    return msgspec.structs.replace(GIVEN, **changes)


def test_equal_refusals_are_one_row_with_a_count_and_the_newest_payload():
    refused = [given(at_ms=START_MS + n, payload=b"%d" % n, detail=f"sentence {n}") for n in range(5)]
    assert rejections.record(refused[:2]) == 1
    assert rejections.record(refused[2:]) == 1
    row = Rejection.objects.get()
    assert (row.count, bytes(row.payload), row.detail) == (5, b"4", "sentence 4")
    assert (row.first_ms, row.last_ms, row.window_ms) == (START_MS, START_MS + 4, START_MS)
    assert (row.uid, row.device_type, row.device) == ("t9", "thermostat", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"uid": "t8"},
        {"type_slug": "pump"},
        {"reason": "bad_shape"},
        {"metric": "temperature"},
        {"at_ms": START_MS + REJECTION_WINDOW_MS},
    ],
)
def test_what_differs_has_a_row_of_its_own(changes: dict[str, Any]):
    assert rejections.record([GIVEN, given(**changes)]) == 2
    assert sorted(Rejection.objects.values_list("count", flat=True)) == [1, 1]


def test_a_row_belongs_to_its_device_and_goes_with_it(device):
    rejections.record([given(uid=device.uid, device=device.pk)])
    assert Rejection.objects.get().device == device
    device.delete()
    assert not Rejection.objects.exists()


def test_a_device_that_was_deleted_meanwhile_is_no_error():
    rejections.record([given(device=12_345)])
    assert Rejection.objects.get().device is None


def test_text_that_a_database_does_not_take_is_replaced_and_cut():
    nasty = "\0\ud800" + "x" * 1_000
    rejections.record(
        [given(uid=nasty, type_slug=nasty, metric=nasty, detail=nasty, payload=b"\0\xff" * MAX_PAYLOAD_BYTES)]
    )
    row = Rejection.objects.get()
    assert row.uid == "\N{REPLACEMENT CHARACTER}?" + "x" * 62
    assert len(row.device_type) == 48
    assert len(row.metric) == 64
    assert len(row.detail) == REJECTION_DETAIL_CHARS
    assert bytes(row.payload) == (b"\0\xff" * MAX_PAYLOAD_BYTES)[:MAX_PAYLOAD_BYTES]


def test_a_payload_of_a_thousand_unknown_metrics_does_not_make_a_thousand_rows():
    metrics = [f"m{n}" for n in range(1_000)]
    num_rows = rejections.record(given(reason="unknown_metric", metric=metric) for metric in metrics)
    assert num_rows == REJECTION_METRICS_PER_DEVICE + 1
    assert Rejection.objects.get(metric="").count == 1_000 - REJECTION_METRICS_PER_DEVICE
    assert sum(Rejection.objects.values_list("count", flat=True)) == 1_000


def test_a_flood_of_new_names_costs_a_bounded_number_of_rows_however_many_batches_it_takes():
    """Each message with a name of its own, in windows of ten minutes and from two devices."""
    for start in range(0, 600, 30):
        refusals = [
            given(uid=uid, reason="unknown_metric", metric=f"m{n}", at_ms=START_MS + n * 2_000)
            for n in range(start, start + 30)
            for uid in ("t1", "t2")
        ]
        rejections.record(refusals)
    per_window = REJECTION_METRICS_PER_DEVICE + 1
    assert Rejection.objects.count() == 2 * 2 * per_window
    assert sum(Rejection.objects.values_list("count", flat=True)) == 1_200
    rejections.record([given(uid="t1", reason="unknown_metric", metric="m0")])
    assert Rejection.objects.get(uid="t1", metric="m0", window_ms=START_MS).count == 2


def test_what_is_replayed_is_counted_but_replaces_nothing_newer():
    rejections.record([given(payload=b"new", at_ms=START_MS + 10, detail="new")])
    rejections.record([given(payload=b"old", at_ms=START_MS + 5, detail="old")])
    row = Rejection.objects.get()
    assert (row.count, bytes(row.payload), row.detail, row.last_ms) == (2, b"new", "new", START_MS + 10)


def test_nothing_refused_is_nothing_written():
    assert rejections.record([]) == 0
