import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from knox.models import get_token_model

from hub.accounts.models import User
from tests.parts.rest import Rest, only_error

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(settings):
    # The real hashers take their time on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ada", password=" right horse ")


def login(username="ada", password=" right horse "):
    return Rest().post("auth/login/", {"username": username, "password": password})


def test_a_name_and_a_password_are_traded_for_a_token(user):
    answer = login()
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "expiry"}
    assert dt.datetime.fromisoformat(answer.json()["expiry"]) > timezone.now()
    assert Rest(answer.json()["token"]).get("devices/").status_code == 200


@pytest.mark.parametrize(
    ("username", "password"),
    [("ada", "wrong"), ("ada", "right horse"), ("bob", " right horse "), ("Ada", "x")],
)
def test_what_of_it_was_wrong_is_not_told(user, username, password):
    refused = login(username, password)
    assert refused.status_code == 401
    assert only_error(refused) == {
        "code": "authentication_failed",
        "detail": "The name and the password do not belong together.",
        "attr": None,
    }
    assert refused["WWW-Authenticate"] == "Token"


def test_an_account_switched_off_is_told_the_same(user):
    User.objects.update(is_active=False)
    assert login().json() == login("bob").json()
    assert login().status_code == 401


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"username": "ada"}, "password"),
        ({"password": "x"}, "username"),
        ({"username": "", "password": "x"}, "username"),
        ({"username": "a\0", "password": "x"}, "username"),
        ({"username": ["ada"], "password": "x"}, "username"),
        ({"username": "ada", "password": "x" * 5000}, "password"),
        ([], "non_field_errors"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_the_field(user, body, attr):
    refused = Rest().post("auth/login/", body)
    assert refused.status_code == 400
    assert only_error(refused)["attr"] == attr


def test_signing_in_needs_neither_a_session_nor_its_csrf_token(user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    body = {"username": "ada", "password": " right horse "}
    assert browser.post("/api/v1/auth/login/", body, content_type="application/json").status_code == 200


def test_signing_in_with_a_worn_out_token_in_the_header_works(user):
    body = {"username": "ada", "password": " right horse "}
    assert Rest("worn-out").post("auth/login/", body).status_code == 200


def test_signing_out_ends_this_token_and_no_other():
    user = User.objects.create_user("ada")
    first, second = (get_token_model().objects.create(user=user)[1] for _ in range(2))
    assert Rest(first).post("auth/logout/").status_code == 204
    assert Rest(first).get("devices/").status_code == 401
    assert Rest(second).get("devices/").status_code == 200


def test_a_token_that_has_expired_is_refused():
    user = User.objects.create_user("ada")
    token = get_token_model().objects.create(user=user, expiry=-dt.timedelta(seconds=1))[1]
    assert Rest(token).get("devices/").status_code == 401


def test_a_token_shows_its_name_and_never_its_digest():
    user = User.objects.create_user("ada")
    kept, _ = get_token_model().objects.create(user=user)
    assert str(kept) == "token of ada"
    kept.name = "laptop"
    assert str(kept) == "laptop"
