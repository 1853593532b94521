import shlex

import pytest

from devices import registry
from devices.credentials import matches
from devices.models import Device, DeviceState
from tests.parts.rest import only_error

BODY = {
    "id": "greenhouse-1",
    "device_type": "thermostat",
    "name": "North wall",
    "labels": {"site": "north"},
    "latitude": 52.5,
    "longitude": 13.4,
}


def state(device, name, since_ms=1_763_796_000_000, because="reading"):
    DeviceState.objects.create(device=device, state=name, since_ms=since_ms, because=because)


def ids(response):
    assert response.status_code == 200, response.content
    return [each["id"] for each in response.json()["results"]]


def test_a_new_device_is_answered_with_its_token_and_where_to_connect(api, thermostat, settings):
    settings.HUB_PUBLIC_MQTT_URL = "mqtt://hub.example:1884"
    created = api.post("devices/", BODY)
    assert created.status_code == 201
    assert created["Location"].endswith("/api/v1/devices/greenhouse-1/")
    answer = created.json()
    assert {name: answer[name] for name in BODY} == BODY
    assert (answer["enabled"], answer["state"], answer["since"], answer["because"]) == (
        True,
        "never",
        None,
        None,
    )
    mqtt = answer["mqtt"]
    assert (mqtt["host"], mqtt["port"], mqtt["tls"]) == ("hub.example", 1884, False)
    assert mqtt["username"] == "greenhouse-1"
    assert mqtt["topics"]["telemetry"] == "devices/thermostat/greenhouse-1/telemetry"
    words = shlex.split(answer["mosquitto_pub"])
    assert words[words.index("-P") + 1] == answer["token"]
    assert words[words.index("-t") + 1] == mqtt["topics"]["telemetry"]
    credential = Device.objects.get(uid="greenhouse-1").credentials.get()
    assert matches(answer["token"], credential.token_hash)


def test_the_token_is_shown_this_once(api, thermostat):
    token = api.post("devices/", BODY).json()["token"]
    read = api.get("devices/greenhouse-1/")
    assert "token" not in read.json()
    assert token not in read.content.decode()


def test_an_id_that_is_taken_is_a_conflict_that_names_the_field(api, device):
    refused = api.post("devices/", {**BODY, "id": "t1"})
    assert refused.status_code == 409
    error = only_error(refused)
    assert (error["code"], error["attr"]) == ("already_exists", "id")


def test_a_device_tells_its_newest_state_since_when_and_why(api, device):
    state(device, "online", 1_763_796_000_000)
    state(device, "silent", 1_763_796_000_123, "no_reading")
    answer = api.get("devices/t1/").json()
    assert (answer["state"], answer["since"], answer["because"]) == (
        "silent",
        "2025-11-22T07:20:00.123Z",
        "no_reading",
    )


def test_a_disabled_device_keeps_its_state_beside_the_flag(api, device):
    state(device, "online")
    answer = api.send("PATCH", "devices/t1/", {"enabled": False}).json()
    assert (answer["enabled"], answer["state"]) == (False, "online")


def test_a_patch_changes_what_it_names_and_leaves_the_rest(api, device):
    changed = api.send("PATCH", "devices/t1/", {"name": "New", "labels": {"floor": "2"}})
    assert changed.status_code == 200
    answer = api.get("devices/t1/").json()
    assert (answer["name"], answer["labels"], answer["enabled"]) == ("New", {"floor": "2"}, True)


def test_what_was_read_can_be_sent_back_changed(api, device):
    answer = api.get("devices/t1/").json()
    changed = api.send("PATCH", "devices/t1/", {**answer, "name": "New", "state": "offline"})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["state"]) == ("New", "never")


def test_an_id_stays_as_it_is(api, device):
    refused = api.send("PATCH", "devices/t1/", {"id": "t2"})
    assert refused.status_code == 400
    error = only_error(refused)
    assert (error["code"], error["attr"]) == ("immutable", "id")


def test_a_place_needs_both_numbers_also_when_one_is_there_already(api, device):
    assert only_error(api.send("PATCH", "devices/t1/", {"latitude": 1}))["attr"] == "longitude"
    assert api.send("PATCH", "devices/t1/", {"latitude": 1, "longitude": 2}).status_code == 200
    assert only_error(api.send("PATCH", "devices/t1/", {"longitude": None}))["attr"] == "longitude"
    assert api.send("PATCH", "devices/t1/", {"latitude": 3}).status_code == 200


def test_the_type_changes_only_while_there_are_no_readings(api, device, store):
    registry.create_device_type("pump")
    assert api.send("PATCH", "devices/t1/", {"device_type": "pump"}).json()["device_type"] == "pump"
    assert api.send("PATCH", "devices/t1/", {"device_type": "thermostat"}).status_code == 200
    store(device, {"temperature": 21.5})
    refused = api.send("PATCH", "devices/t1/", {"device_type": "pump"})
    assert refused.status_code == 409
    assert only_error(refused)["code"] == "has_readings"


def test_a_put_makes_a_device_once_and_then_the_same_again(api, thermostat):
    body = {name: value for name, value in BODY.items() if name != "id"}
    created = api.send("PUT", "devices/greenhouse-1/", body)
    assert created.status_code == 201
    assert created.json()["token"]
    version = registry.current_version()
    again = api.send("PUT", "devices/greenhouse-1/", body)
    assert again.status_code == 200
    assert "token" not in again.json()
    assert registry.current_version() == version


def test_a_put_gives_defaults_to_what_it_leaves_out(api, device):
    answer = api.send("PUT", "devices/t1/", {"device_type": "thermostat"}).json()
    assert (answer["name"], answer["labels"], answer["enabled"]) == ("", {}, True)


def test_a_put_with_another_id_in_its_body_is_refused(api, device):
    refused = api.send("PUT", "devices/t1/", {"id": "t2", "device_type": "thermostat"})
    assert only_error(refused)["code"] == "immutable"
    assert api.send("PUT", "devices/t1/", []).status_code == 400


def test_a_deleted_device_is_gone_and_its_id_is_free(api, device):
    assert api.send("DELETE", "devices/t1/").status_code == 204
    assert api.get("devices/t1/").status_code == 404
    assert api.post("devices/", {**BODY, "id": "t1"}).status_code == 201


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("uid", ["nothing", "T1", "a.b", "%00", "x" * 200])
def test_a_device_that_is_not_there_is_not_found(api, device, method, uid):
    refused = api.send(method, f"devices/{uid}/")
    assert refused.status_code == 404
    assert only_error(refused)["code"] == "not_found"


@pytest.mark.parametrize("part", ["latest", "readings", "ledger"])
def test_nothing_is_told_of_a_device_that_is_not_there(api, part):
    assert api.get(f"devices/nothing/{part}/").status_code == 404
    assert api.post("devices/nothing/token/").status_code == 404


@pytest.mark.parametrize(
    ("change", "attr", "says"),
    [
        ({"id": "green house"}, "id", "One would be: greenhouse-1"),
        ({"id": "x" * 65}, "id", "at most 64"),
        ({"id": "hub.bridge"}, "id", "One would be"),
        ({"id": None}, "id", "null"),
        ({"device_type": "nothing"}, "device_type", "There is no device type 'nothing'"),
        ({"device_type": ["thermostat"]}, "device_type", "string"),
        ({"labels": ["a"]}, "labels", '{"site": "north"}'),
        ({"labels": {"floor": 2}}, "labels.floor", "text"),
        ({"labels": {"a:b": "x"}}, "labels", "'a:b'"),
        ({"labels": {"": "x"}}, "labels", "label's name"),
        ({"labels": {"a": "x" * 129}}, "labels.a", "128"),
        ({"labels": {"a": "\0"}}, "labels.a", "Null"),
        ({"labels": {f"a{n}": "" for n in range(51)}}, "labels", "at most 50"),
        ({"latitude": 91}, "latitude", "90"),
        ({"longitude": -180.5}, "longitude", "180"),
        ({"latitude": "52.5"}, "latitude", "Give a number"),
        ({"latitude": None}, "latitude", "together"),
        ({"enabled": "perhaps"}, "enabled", "boolean"),
        ({"enabled": {}}, "enabled", "boolean"),
        ({"lables": {}}, "lables", "There is no 'lables' here"),
        ({"version": 7}, "version", "There is no 'version' here"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_the_field_and_what_would_be_right(
    api, thermostat, change, attr, says
):
    refused = api.post("devices/", {**BODY, **change})
    assert refused.status_code == 400
    error = only_error(refused)
    assert error["attr"] == attr
    assert says in error["detail"]
    assert not Device.objects.exists()


def test_devices_are_listed_by_id_a_page_at_a_time(api, thermostat):
    for uid in ("b", "c", "a"):
        registry.create_device(uid, "thermostat")
    first = api.get("devices/", {"page_size": 2}).json()
    assert [each["id"] for each in first["results"]] == ["a", "b"]
    assert first["count"] == 3
    assert [each["id"] for each in api.client.get(first["next"]).json()["results"]] == ["c"]


def test_a_page_beyond_the_last_is_not_found(api, device):
    assert api.get("devices/", {"page": 2}).status_code == 404


def test_devices_are_found_by_type_state_label_and_text(api, device):
    registry.create_device_type("pump")
    registry.create_device("p1", "pump", name="Cellar", labels={"site": "north", "floor": "0"})
    second = registry.create_device("t2", "thermostat", labels={"site": "south"})[0]
    state(second, "online")
    state(device, "online")
    state(device, "offline")
    assert ids(api.get("devices/", {"device_type": "pump"})) == ["p1"]
    assert ids(api.get("devices/", {"state": "online"})) == ["t2"]
    assert ids(api.get("devices/", {"state": "offline"})) == ["t1"]
    assert ids(api.get("devices/", {"state": "never"})) == ["p1"]
    assert ids(api.get("devices/", {"label": "site:north"})) == ["p1", "t1"]
    assert ids(api.get("devices/", {"label": ["site:north", "floor:0"]})) == ["p1"]
    assert ids(api.get("devices/", {"label": ["site:north", "site:south"]})) == []
    assert ids(api.get("devices/", {"search": "cell"})) == ["p1"]
    assert ids(api.get("devices/", {"search": "T", "state": "offline"})) == ["t1"]
    assert ids(api.get("devices/", {"ordering": "-id"})) == ["t2", "t1", "p1"]
    assert ids(api.get("devices/", {"ordering": "device_type"})) == ["p1", "t1", "t2"]
    assert ids(api.get("devices/", {"ordering": "-name"})) == ["t1", "p1", "t2"]


@pytest.mark.parametrize(
    ("query", "attr", "says"),
    [
        ({"device_type": "nothing"}, "device_type", "There is no device type"),
        ({"state": "asleep"}, "state", "asleep"),
        ({"label": "north"}, "label", "site:north"),
        ({"ordering": "colour"}, "ordering", "id, name"),
        ({"ordering": "--id"}, "ordering", "id, name"),
        ({"page": "x"}, "page", "integer"),
        ({"page": "0"}, "page", "greater"),
        ({"page_size": "5000"}, "page_size", "1000"),
        ({"devicetype": "thermostat"}, "devicetype", "known are"),
        ({"search": "\0"}, "search", "Null"),
    ],
)
def test_a_parameter_that_is_wrong_is_refused_with_its_name(api, device, query, attr, says):
    refused = api.get("devices/", query)
    assert refused.status_code == 400
    error = only_error(refused)
    assert error["attr"] == attr
    assert says in error["detail"]


def test_a_search_text_is_no_pattern(api, device):
    assert ids(api.get("devices/", {"search": "%"})) == []
    assert ids(api.get("devices/", {"search": "' OR 1=1 --"})) == []


def test_a_new_token_comes_with_everything_to_use_it(api, device):
    answer = api.post("devices/t1/token/")
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "mqtt", "mosquitto_pub"}
    assert matches(answer.json()["token"], device.credentials.get().token_hash)


def test_an_old_token_may_overlap_with_the_new_one(api, device):
    assert api.post("devices/t1/token/?grace_s=60").status_code == 200
    assert device.credentials.count() == 2


def test_an_overlap_that_the_broker_cannot_keep_is_refused(api, device, settings):
    settings.HUB_BROKER = "mosquitto"
    refused = api.post("devices/t1/token/?grace_s=60")
    assert refused.status_code == 409
    assert only_error(refused)["code"] == "overlap_not_supported"


@pytest.mark.parametrize("query", ["grace_s=-1", "grace_s=soon", "grace_s=99999999", "grace=60"])
def test_a_grace_that_is_none_leaves_the_old_token(api, device, query):
    before = device.credentials.get()
    assert api.post(f"devices/t1/token/?{query}").status_code == 400
    assert device.credentials.get() == before


def test_a_grace_in_the_body_is_not_ignored(api, device):
    before = device.credentials.get()
    refused = api.post("devices/t1/token/", {"grace_s": 60})
    assert refused.status_code == 400
    assert only_error(refused)["attr"] == "grace_s"
    assert device.credentials.get() == before
