import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.utils import timezone

from hub.accounts.models import SignInLink, User
from hub.accounts.signin import make_link, take


@pytest.fixture
def user(db):
    return User.objects.create_user("demo")


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_a_link_signs_its_user_in_and_goes_to_the_first_page(client, user):
    answer = client.get(make_link(user))
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(user.pk)
    assert "no-store" in answer["Cache-Control"]


def test_a_link_works_once(client, user, django_user_model):
    link = make_link(user)
    client.get(link)
    client.logout()
    answer = client.get(link)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert not is_signed_in(client)
    (message,) = get_messages(answer.wsgi_request)
    assert "used already or has expired" in str(message)


def test_a_link_lives_for_24_hours(client, user):
    link = make_link(user)
    left = SignInLink.objects.get().expires_at - timezone.now()
    assert dt.timedelta(hours=23, minutes=59) < left <= dt.timedelta(hours=24)
    SignInLink.objects.update(expires_at=timezone.now())
    client.get(link)
    assert not is_signed_in(client)


@pytest.mark.parametrize("token", ["x", "0" * 500, "%00", "ä"])
def test_an_invented_link_signs_nobody_in(client, user, token):
    make_link(user)
    assert client.get(f"/accounts/link/{token}/")["Location"] == "/accounts/login/"
    assert not is_signed_in(client)


def test_a_link_of_an_account_switched_off_signs_nobody_in(client, user):
    link = make_link(user)
    User.objects.update(is_active=False)
    client.get(link)
    assert not is_signed_in(client)


def test_a_second_link_leaves_the_first_one_good(client, user):
    first = make_link(user)
    make_link(user)
    client.get(first)
    assert is_signed_in(client)


def test_signing_in_otherwise_leaves_a_link_good(client, user):
    link = make_link(user)
    client.force_login(user)
    client.logout()
    client.get(link)
    assert is_signed_in(client)


def test_the_token_of_a_link_is_nowhere_kept(user):
    token = make_link(user).rstrip("/").rpartition("/")[2]
    assert len(token) >= 43
    assert token not in str(SignInLink.objects.values())


def test_expired_links_are_swept_away_when_a_new_one_is_made(user):
    make_link(user)
    SignInLink.objects.update(expires_at=timezone.now())
    make_link(user)
    assert SignInLink.objects.count() == 1


def test_a_link_is_only_read_never_posted(client, user):
    assert client.post(make_link(user)).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_of_many_who_use_a_link_at_once_one_is_signed_in(user):
    token = make_link(user).rstrip("/").rpartition("/")[2]

    def use(_: int) -> bool:
        try:
            return take(token) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(8))) == 1
