from typing import Any

import pytest

from devices import registry
from devices.models import DeviceType
from hub.limits.telemetry import MAX_METRICS_PER_TYPE
from tests.parts.rest import only_error

PUMP: dict[str, Any] = {
    "slug": "water-pump",
    "name": "Water pump",
    "description": "lifts water",
    "expected_interval_s": 10,
    "retention_days": 7,
    "unknown_metrics": "learn",
    "metrics": [
        {"key": "pressure", "name": "Pressure", "unit": "bar", "minimum": 0, "maximum": 16, "precision": 2},
        {"key": "running", "kind": "boolean"},
    ],
}


def test_a_type_is_registered_and_read_back_as_it_was_given(api):
    created = api.post("device-types/", PUMP)
    assert created.status_code == 201
    assert created["Location"].endswith("/api/v1/device-types/water-pump/")
    read = api.get("device-types/water-pump/")
    assert read.status_code == 200
    assert read.json() == created.json()
    assert {name: read.json()[name] for name in PUMP if name != "metrics"} == {
        name: value for name, value in PUMP.items() if name != "metrics"
    }
    assert read.json()["metrics"] == [
        {**PUMP["metrics"][0], "kind": "number"},
        {
            "key": "running",
            "name": "",
            "kind": "boolean",
            "unit": "",
            "minimum": None,
            "maximum": None,
            "precision": None,
        },
    ]


def test_a_slug_is_enough_for_a_type(api):
    created = api.post("device-types/", {"slug": "x"}).json()
    assert created["name"] == "x"
    assert created["unknown_metrics"] == "reject"
    assert created["expected_interval_s"] is None
    assert created["metrics"] == []


def test_a_slug_that_is_taken_is_a_conflict(api, thermostat):
    refused = api.post("device-types/", {"slug": "thermostat"})
    assert refused.status_code == 409
    error = only_error(refused)
    assert (error["code"], error["attr"]) == ("already_exists", "slug")


def test_types_are_listed_by_slug_a_page_at_a_time(api):
    for slug in ("b", "c", "a"):
        registry.create_device_type(slug)
    first = api.get("device-types/", {"page_size": 2}).json()
    assert [each["slug"] for each in first["results"]] == ["a", "b"]
    assert (first["count"], first["previous"]) == (3, None)
    second = api.client.get(first["next"]).json()
    assert [each["slug"] for each in second["results"]] == ["c"]
    assert second["next"] is None


def test_types_are_found_by_a_part_of_slug_or_name(api):
    registry.create_device_type("wp", name="Water pump")
    registry.create_device_type("thermostat")
    found = api.get("device-types/", {"search": "PUMP"}).json()["results"]
    assert [each["slug"] for each in found] == ["wp"]


def test_a_patch_changes_what_it_names_and_leaves_the_rest(api, thermostat):
    changed = api.send("PATCH", "device-types/thermostat/", {"retention_days": 3})
    assert changed.status_code == 200
    assert changed.json()["retention_days"] == 3
    assert changed.json()["name"] == "Thermostat"
    assert len(changed.json()["metrics"]) == 3


def test_metrics_in_a_patch_replace_the_list(api, thermostat, history):
    metrics = [{"key": "mode", "kind": "text"}, {"key": "humidity", "unit": "%"}]
    changed = api.send("PATCH", "device-types/thermostat/", {"metrics": metrics}).json()
    assert [metric["key"] for metric in changed["metrics"]] == ["mode", "humidity"]


def test_a_metric_in_a_patch_needs_its_key_too(api, thermostat):
    refused = api.send("PATCH", "device-types/thermostat/", {"metrics": [{"unit": "%"}]})
    assert refused.status_code == 400
    assert only_error(refused)["attr"] == "metrics.0.key"


def test_a_metric_with_readings_is_not_removed(api, device, store):
    store(device, {"temperature": 21.5})
    refused = api.send("PATCH", "device-types/thermostat/", {"metrics": []})
    assert refused.status_code == 409
    assert only_error(refused)["code"] == "metric_has_data"


def test_a_slug_stays_as_it_is(api, thermostat):
    refused = api.send("PATCH", "device-types/thermostat/", {"slug": "other"})
    assert refused.status_code == 400
    assert only_error(refused)["code"] == "immutable"
    assert api.send("PATCH", "device-types/thermostat/", {"slug": "thermostat"}).status_code == 200


def test_a_type_is_deleted_when_it_has_no_devices(api, thermostat, device):
    refused = api.send("DELETE", "device-types/thermostat/")
    assert refused.status_code == 409
    assert only_error(refused)["code"] == "has_devices"
    registry.delete_device(device)
    assert api.send("DELETE", "device-types/thermostat/").status_code == 204
    assert api.get("device-types/thermostat/").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("slug", ["nothing", "NOT-A-SLUG", "%00", "a" * 300])
def test_a_type_that_is_not_there_is_not_found(api, method, slug):
    refused = api.send(method, f"device-types/{slug}/")
    assert refused.status_code == 404
    assert only_error(refused)["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "attr", "says"),
    [
        ({}, "slug", "required"),
        ({"slug": "Water Pump"}, "slug", "One would be: water-pump"),
        ({"slug": "x" * 49}, "slug", "at most 48"),
        ({"slug": "x\n"}, None, None),
        ({"slug": "x", "nmae": "typo"}, "nmae", "There is no 'nmae' here; known are: slug, name"),
        ({"slug": "x", "name": ""}, "name", "blank"),
        ({"slug": "x", "name": "\ud800"}, "name", "Surrogate"),
        ({"slug": "x", "description": "a\0b"}, "description", "Null"),
        ({"slug": "x", "expected_interval_s": "60"}, "expected_interval_s", "Give a number"),
        ({"slug": "x", "expected_interval_s": True}, "expected_interval_s", "Give a number"),
        ({"slug": "x", "expected_interval_s": 0}, "expected_interval_s", "greater"),
        ({"slug": "x", "retention_days": 0}, "retention_days", "greater"),
        ({"slug": "x", "retention_days": 10**30}, "retention_days", "less"),
        ({"slug": "x", "unknown_metrics": "guess"}, "unknown_metrics", "guess"),
        ({"slug": "x", "metrics": {}}, "metrics.non_field_errors", "list"),
        ({"slug": "x", "metrics": [{"key": "1st"}]}, "metrics.0.key", "One would be: temperature"),
        ({"slug": "x", "metrics": [{"key": "a"}, {"key": "ts"}]}, "metrics.1.key", "seq, ts, values"),
        ({"slug": "x", "metrics": [{"key": "a"}, {"key": "a"}]}, "metrics", "2 times"),
        ({"slug": "x", "metrics": [{"key": "a", "kind": "int"}]}, "metrics.0.kind", "int"),
        ({"slug": "x", "metrics": [{"key": "a", "units": "m"}]}, "metrics.0.units", "'units'"),
        ({"slug": "x", "metrics": [{"key": "a", "minimum": 2, "maximum": 2}]}, "metrics.0.minimum", "below"),
        ({"slug": "x", "metrics": [{"key": "a", "minimum": 1e16}]}, "metrics.0.minimum", "between"),
        ({"slug": "x", "metrics": [{"key": "a", "minimum": 10**400}]}, "metrics.0.minimum", "between"),
        (
            {"slug": "x", "metrics": [{"key": "a", "kind": "text", "maximum": 1}]},
            "metrics.0.maximum",
            "number",
        ),
        ({"slug": "x", "metrics": [{"key": "a", "precision": 99}]}, "metrics.0.precision", "less"),
        ([], "non_field_errors", "dictionary"),
        ("text", "non_field_errors", "dictionary"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_the_field_and_what_would_be_right(api, body, attr, says):
    response = api.post("device-types/", body if isinstance(body, dict | list) else '"text"')
    if attr is None:
        assert response.status_code == 201
        return
    assert response.status_code == 400
    error = only_error(response)
    assert error["attr"] == attr
    assert says in error["detail"]
    assert not DeviceType.objects.exists()


def test_a_type_has_a_bounded_number_of_metrics(api):
    metrics = [{"key": f"m{number}"} for number in range(MAX_METRICS_PER_TYPE + 1)]
    refused = api.post("device-types/", {"slug": "x", "metrics": metrics})
    assert refused.status_code == 400
    assert "metrics" in only_error(refused)["attr"]


def test_a_number_beyond_what_json_can_show_is_refused(api):
    body = b'{"slug": "x", "metrics": [{"key": "a", "maximum": 1e999}]}'
    assert only_error(api.send("POST", "device-types/", body))["attr"] == "metrics.0.maximum"


def test_every_wrong_field_is_told_at_once(api):
    errors = api.post("device-types/", {"slug": "?", "retention_days": 0, "unknown_metrics": 7}).json()[
        "errors"
    ]
    assert {error["attr"] for error in errors} == {"slug", "retention_days", "unknown_metrics"}
