"""Every refusal has the one shape, whatever part of the stack refuses."""

import json

import pytest
from django.test import Client

from hub.history.opening import get_history
from hub.history.store import StoreUnavailableError
from hub.limits.registry import MAX_REQUEST_BODY_BYTES, MAX_REQUEST_DEPTH
from tests.parts.rest import Rest, only_error

EVERYTHING = [
    ("GET", "device-types/"),
    ("POST", "device-types/"),
    ("GET", "device-types/thermostat/"),
    ("PATCH", "device-types/thermostat/"),
    ("DELETE", "device-types/thermostat/"),
    ("GET", "devices/"),
    ("POST", "devices/"),
    ("GET", "devices/t1/"),
    ("PUT", "devices/t1/"),
    ("PATCH", "devices/t1/"),
    ("DELETE", "devices/t1/"),
    ("POST", "devices/t1/token/"),
    ("GET", "devices/t1/latest/"),
    ("GET", "devices/t1/readings/"),
    ("GET", "devices/t1/ledger/"),
    ("GET", "rejections/"),
    ("POST", "rejections/1/replay/"),
    ("POST", "auth/logout/"),
]


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_nothing_is_told_without_a_token(nobody, device, method, path):
    refused = nobody.send(method, path)
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == "Token"
    assert only_error(refused)["code"] == "not_authenticated"


@pytest.mark.parametrize("token", ["wrong", "a b", "\xff", "ä" * 40, "0" * 10_000], ids=len)
@pytest.mark.parametrize(("method", "path"), [("GET", "devices/"), ("POST", "devices/")])
def test_a_wrong_token_is_refused(device, token, method, path):
    refused = Rest(token).send(method, path)
    assert refused.status_code == 401
    assert only_error(refused)["code"] == "authentication_failed"


def test_the_token_of_an_account_switched_off_is_refused(api, user):
    user.is_active = False
    user.save()
    assert api.get("devices/").status_code == 401


def test_a_body_that_is_no_json_is_told(api):
    refused = api.send("POST", "devices/", b"{id: 1}")
    assert refused.status_code == 400
    assert only_error(refused)["code"] == "parse_error"


@pytest.mark.parametrize("body", [b'{"id": "\xff"}', b'{"id": NaN}', b"", b'{"id": ' + b"9" * 5000 + b"}"])
def test_a_body_that_only_resembles_json_is_told(api, body):
    assert api.send("POST", "devices/", body).status_code == 400


def test_a_body_nested_too_deeply_is_told(api):
    for depth in (MAX_REQUEST_DEPTH + 1, 100_000):
        refused = api.send("POST", "devices/", b"[" * depth + b"]" * depth)
        assert refused.status_code == 400
        assert "nested too deeply" in only_error(refused)["detail"]


@pytest.mark.parametrize("times", [1, 10])
def test_a_body_that_is_too_large_is_told(api, times):
    refused = api.send("POST", "devices/", json.dumps({"id": "x" * MAX_REQUEST_BODY_BYTES * times}))
    assert refused.status_code == 413
    assert only_error(refused)["code"] == "too_large"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_of_another_type_is_told(api, content_type):
    refused = api.send("POST", "devices/", "id=1", content_type=content_type)
    assert refused.status_code == 415
    assert only_error(refused)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_method_that_an_address_does_not_have_is_told(api, device, method):
    refused = api.send(method, "rejections/")
    assert refused.status_code == 405
    assert only_error(refused)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["devices/", "devices/t1/", "devices/t1/token/", "device-types/thermostat/"])
def test_options_are_in_the_openapi_document(api, device, path):
    assert only_error(api.send("OPTIONS", path))["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["nothing/", "nothing", "devices/t1/nothing/", "device-types/a/b/c/"])
def test_an_address_that_is_none_is_told(nobody, method, path):
    refused = nobody.send(method, path)
    assert refused.status_code == 404
    assert only_error(refused)["code"] == "not_found"


def test_an_address_without_its_last_slash_is_told_how_it_would_be_right(api):
    refused = api.post("devices", {})
    assert refused.status_code == 404
    assert only_error(refused)["detail"].endswith("/api/v1/devices/")


def test_an_answer_in_another_type_is_not_to_be_had(api):
    refused = api.get("devices/", Accept="text/html")
    assert refused.status_code == 406
    assert only_error(refused)["code"] == "not_acceptable"


def test_a_browser_session_must_show_its_csrf_token_to_change_something(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get("/api/v1/devices/").status_code == 200
    refused = client.post("/api/v1/device-types/", {"slug": "x"}, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in only_error(refused)["detail"]


def test_a_history_that_cannot_be_read_is_told_and_to_be_asked_again(api, device, history, monkeypatch):
    def locked(*_):
        raise StoreUnavailableError("locked")

    monkeypatch.setattr(type(get_history()), "latest", locked)
    refused = api.get("devices/t1/latest/")
    assert refused.status_code == 503
    assert refused["Retry-After"] == "5"
    assert only_error(refused)["code"] == "history_unavailable"
