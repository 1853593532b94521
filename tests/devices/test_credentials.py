import subprocess

import pytest

from devices.credentials import hash_token, matches, new_token


def test_a_token_matches_its_own_hash_only():
    token = new_token()
    assert matches(token, hash_token(token))
    assert not matches(token + "x", hash_token(token))
    assert not matches("", hash_token(token))


def test_no_two_hashes_of_a_token_are_alike():
    assert hash_token("a") != hash_token("a")


def test_a_token_has_256_bits():
    assert len(new_token()) == 43
    assert new_token() != new_token()


@pytest.mark.parametrize(
    "unreadable", ["", "$7$101$x", "$7$x$AA==$AA==", "$7$101$?$?", "plain", "$6$101$AA==$AA=="]
)
def test_a_hash_that_cannot_be_read_matches_nothing(unreadable):
    assert not matches("token", unreadable)


def test_mosquittos_own_hash_is_understood(tmp_path):
    path = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(path), "t1", "a token"], check=True, capture_output=True
    )
    user, _, token_hash = path.read_text().strip().partition(":")
    assert user == "t1"
    assert matches("a token", token_hash)
    assert not matches("another", token_hash)
