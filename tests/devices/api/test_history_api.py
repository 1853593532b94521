import csv
import time
from typing import Any

import pytest

from devices.models import BridgeReport, Rejection
from hub.history.store import Arrivals, Batch, Reading
from tests.devices.conftest import NOW_MS
from tests.parts.rest import Rest, only_error

RANGE = {"from": NOW_MS, "to": NOW_MS + 10_000}


def test_the_latest_values_are_told_by_measured_time(api, device, store):
    store(device, {"temperature": 21.5, "door": True}, NOW_MS, NOW_MS + 1)
    store(device, {"temperature": 22.5}, NOW_MS + 1000, NOW_MS + 1500)
    store(device, {"temperature": 1, "mode": "eco"}, NOW_MS - 1000, NOW_MS + 2000)
    assert api.get("devices/t1/latest/").json() == {
        "device": "t1",
        "values": {
            "temperature": {"value": 22.5, "ts": "2025-11-22T07:20:01.000Z"},
            "door": {"value": True, "ts": "2025-11-22T07:20:00.000Z"},
            "mode": {"value": "eco", "ts": "2025-11-22T07:19:59.000Z"},
        },
        "received": "2025-11-22T07:20:01.500Z",
    }


def test_a_device_that_never_sent_anything_has_no_values(api, device, history):
    assert api.get("devices/t1/latest/").json() == {"device": "t1", "values": {}, "received": None}


def test_readings_come_as_columns_of_equal_length(api, device, store):
    store(device, {"temperature": 21.5, "mode": "eco"}, NOW_MS)
    store(device, {"temperature": 22}, NOW_MS + 1000)
    store(device, {"door": False}, NOW_MS + 10_000)
    answer = api.get("devices/t1/readings/", RANGE)
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {
        "from_ms": NOW_MS,
        "to_ms": NOW_MS + 10_000,
        "resolution": "raw",
        "bucket_ms": None,
        "ts": [NOW_MS, NOW_MS + 1000],
        "metrics": {
            "temperature": {"value": [21.5, 22]},
            "door": {"value": [None, None]},
            "mode": {"value": ["eco", None]},
        },
    }


def test_only_the_metrics_asked_for_are_told(api, device, store):
    store(device, {"temperature": 21.5, "mode": "eco"}, NOW_MS)
    answer = api.get("devices/t1/readings/", {**RANGE, "metrics": "mode,temperature,mode"}).json()
    assert list(answer["metrics"]) == ["mode", "temperature"]


def test_more_readings_than_points_are_merged_into_buckets(api, device, history):
    readings = [Reading(device.pk, NOW_MS + n, NOW_MS, None, {"temperature": n}) for n in range(100)]
    history.append(Batch(NOW_MS, readings))
    answer = api.get("devices/t1/readings/", {**RANGE, "points": 5}).json()
    assert len(answer["ts"]) <= 5
    assert answer["bucket_ms"]
    assert sum(answer["metrics"]["temperature"]["count"]) == 100


def test_the_last_24_hours_are_told_unless_asked_otherwise(api, device, history):
    before_ms = time.time_ns() // 1_000_000
    answer = api.get("devices/t1/readings/").json()
    assert answer["to_ms"] - answer["from_ms"] == 24 * 3_600_000
    assert before_ms <= answer["to_ms"] <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    "given",
    [
        str(NOW_MS),
        "2025-11-22T07:20:00Z",
        "2025-11-22T07:20:00.000+00:00",
        "2025-11-22T08:20:00+01:00",
        "2025-11-22T08:20:00 01:00",
    ],
)
def test_times_are_taken_as_milliseconds_and_as_iso_8601(api, device, history, given):
    answer = api.get("devices/t1/readings/", {"from": given, "to": NOW_MS + 1})
    assert answer.json()["from_ms"] == NOW_MS


def test_a_plus_sign_that_was_not_escaped_is_understood(api, device, history):
    answer = api.get(f"devices/t1/readings/?from=2025-11-22T08:20:00+01:00&to={NOW_MS + 1}")
    assert answer.json()["from_ms"] == NOW_MS


@pytest.mark.parametrize(
    ("query", "attr", "says"),
    [
        ({"from": "yesterday"}, "from", "ISO 8601"),
        ({"from": "2025-11-22T07:20:00"}, "from", "offset"),
        ({"to": "-1"}, "to", "ISO 8601"),
        ({"to": "9" * 30}, "to", "ISO 8601"),
        ({"from": "2", "to": "2"}, "from", "earlier"),
        ({"from": "3", "to": "2"}, "from", "earlier"),
        ({"points": "0"}, "points", "greater"),
        ({"points": "100000"}, "points", "10000"),
        ({"metrics": "temperature,humidity"}, "metrics", "'humidity' is none of: temperature, door, mode"),
        ({"metric": "temperature"}, "metric", "known are"),
    ],
)
def test_a_parameter_that_is_wrong_is_refused_with_its_name(api, device, history, query, attr, says):
    refused = api.get("devices/t1/readings/", query)
    assert refused.status_code == 400
    error = only_error(refused)
    assert error["attr"] == attr
    assert says in error["detail"]


async def csv_of(async_client, api: Rest, query="") -> tuple[Any, list[list[str]]]:
    headers = {**api.client.defaults, "HTTP_ACCEPT": "text/csv"}
    answer = await async_client.get(
        f"/api/v1/devices/t1/readings/?from={NOW_MS}&to={NOW_MS + 10_000}{query}",
        headers={"Authorization": headers["HTTP_AUTHORIZATION"], "Accept": "text/csv"},
    )
    assert answer.status_code == 200
    assert answer.streaming
    chunks = [chunk async for chunk in answer]
    return answer, list(csv.reader(b"".join(chunks).decode().splitlines()))


@pytest.mark.django_db(transaction=True)
async def test_raw_readings_are_streamed_as_csv_page_by_page(async_client, api, device, store, monkeypatch):
    monkeypatch.setattr("devices.api.csv_rows.ROWS_PAGE_MAX", 2)
    for number in range(5):
        store(device, {"temperature": number, "door": number % 2 == 0, "mode": 'a,"b'}, NOW_MS + number)
    store(device, {"temperature": 9}, NOW_MS + 10_000)
    answer, lines = await csv_of(async_client, api)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="t1.csv"' in answer["Content-Disposition"]
    assert lines[0] == ["ts", "received", "seq", "temperature", "door", "mode"]
    assert lines[1] == ["2025-11-22T07:20:00.000Z", "2025-11-22T07:20:00.000Z", "", "0", "true", 'a,"b']
    assert [line[3] for line in lines[1:]] == ["0", "1", "2", "3", "4"]


@pytest.mark.django_db(transaction=True)
async def test_csv_has_the_metrics_asked_for_and_the_readings_that_have_them(
    async_client, api, device, store
):
    store(device, {"temperature": 1}, NOW_MS)
    store(device, {"mode": "eco", "temperature": 2}, NOW_MS + 1)
    _, lines = await csv_of(async_client, api, "&metrics=mode")
    assert lines == [
        ["ts", "received", "seq", "mode"],
        ["2025-11-22T07:20:00.001Z", "2025-11-22T07:20:00.001Z", "", "eco"],
    ]


@pytest.mark.django_db(transaction=True)
async def test_csv_can_be_asked_for_in_the_address_too(async_client, api, device, history):
    _, lines = await csv_of(async_client, api, "&format=csv")
    assert lines == [["ts", "received", "seq", "temperature", "door", "mode"]]


def test_who_asked_for_csv_is_refused_in_the_one_shape(api, nobody, device):
    refused = api.get("devices/t1/readings/", {"from": "x"}, Accept="text/csv")
    assert refused.status_code == 400
    assert refused["Content-Type"] == "application/json"
    assert only_error(refused)["attr"] == "from"
    assert only_error(nobody.get("devices/t1/readings/", Accept="text/csv"))["code"] == "not_authenticated"


def test_a_ledger_tells_what_became_of_everything(api, device, history):
    reading = Reading(device.pk, NOW_MS, NOW_MS, 7, {"temperature": 1})
    arrivals = Arrivals(received=3, rejected=1, values_rejected=2, lost_before_hub=4, last_seq=7)
    history.append(Batch(NOW_MS, [reading, reading], {device.pk: arrivals}))
    assert api.get("devices/t1/ledger/").json() == {
        "device": "t1",
        "received": 3,
        "stored": 1,
        "updated": 0,
        "duplicate": 1,
        "rejected": 1,
        "values_rejected": 2,
        "pruned": 0,
        "lost_before_hub": 4,
        "last_seq": 7,
        "hub_wide": {"dropped_by_broker": None},
    }


def test_the_ledger_of_a_silent_device_is_all_zero(api, device, history):
    answer = api.get("devices/t1/ledger/").json()
    assert answer.pop("device") == "t1"
    assert answer.pop("last_seq") is None
    assert answer.pop("hub_wide") == {"dropped_by_broker": None}
    assert set(answer.values()) == {0}


def test_what_the_broker_dropped_stands_beside_the_ledger_as_the_newest_bridge_heard_it(api, device, history):
    for slot, at_ms, dropped in (("main", 5, 12), ("old", 4, 99), ("mute", 6, None)):
        BridgeReport.objects.create(
            slot=slot,
            source=slot,
            at_ms=at_ms,
            receiving=True,
            receiving_since_ms=0,
            storing=True,
            storing_since_ms=0,
            dropped_by_broker=dropped,
        )
    assert api.get("devices/t1/ledger/").json()["hub_wide"] == {"dropped_by_broker": 12}


def reject(uid, reason, device=None, payload=b"{", **fields):
    return Rejection.objects.create(
        device=device,
        uid=uid,
        device_type="thermostat",
        reason=reason,
        window_ms=fields.get("last_ms", NOW_MS),
        count=3,
        detail="why",
        payload=payload,
        first_ms=NOW_MS,
        **{"last_ms": NOW_MS, **fields},
    )


def test_rejections_are_told_newest_first_with_their_payload(api, device):
    reject("ghost", "unknown_device", payload=b'{"a": \xff}', last_ms=NOW_MS + 5)
    reject("t1", "unknown_metric", device, metric="humidity", payload=b'{"humidity": 1}')
    answer = api.get("rejections/").json()
    assert answer["count"] == 2
    first, second = answer["results"]
    assert (first["device"], first["known"], first["metric"]) == ("ghost", False, None)
    assert (first["payload"], first["payload_bytes"]) == ('{"a": \ufffd}', 8)
    assert first["last"] == "2025-11-22T07:20:00.005Z"
    assert (second["device"], second["known"], second["metric"]) == ("t1", True, "humidity")
    assert (second["reason"], second["count"], second["detail"]) == ("unknown_metric", 3, "why")


def test_rejections_are_found_by_device_and_reason(api, device):
    reject("t1", "not_json", device)
    reject("t1", "too_large", device)
    reject("ghost", "not_json")

    def found(**query):
        return [(each["device"], each["reason"]) for each in api.get("rejections/", query).json()["results"]]

    assert found(device="t1", reason="not_json") == [("t1", "not_json")]
    assert len(found(device="t1")) == 2
    assert len(found(reason="not_json")) == 2
    assert found(device="nothing") == []


def test_a_page_of_rejections_is_small_because_payloads_are_large(api, db):
    for number in range(21):
        reject("ghost", "not_json", last_ms=NOW_MS + number)
    assert len(api.get("rejections/").json()["results"]) == 20
    assert only_error(api.get("rejections/", {"page_size": 101}))["attr"] == "page_size"
