"""Device tokens: random, kept only as the hash that Mosquitto knows too."""

import base64
import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.credentials import hash_token, matches, new_token

TOKEN = "correct horse battery staple"
HASHED = hash_token(TOKEN)


def test_tokens_are_256_random_bits_that_need_no_quoting():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_token_matches_its_own_hash_and_no_other():
    assert matches(TOKEN, HASHED)
    assert not matches(TOKEN + "x", HASHED)
    assert not matches("", HASHED)
    assert matches("", hash_token(""))


def test_equal_tokens_have_different_hashes():
    assert hash_token(TOKEN) != HASHED


def test_the_hash_is_the_second_field_of_a_line_in_mosquittos_password_file():
    _, scheme, rounds, salt, digest = HASHED.split("$")
    assert (scheme, rounds) == ("7", "101")
    assert len(base64.b64decode(salt)) == 12
    expected = hashlib.pbkdf2_hmac("sha512", TOKEN.encode(), base64.b64decode(salt), 101, 64)
    assert base64.b64decode(digest) == expected
    assert len(HASHED) <= 200, "the column's length"


def test_mosquittos_own_hash_is_understood(tmp_path: Path):
    file = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(file), "t1", "a token"], check=True, capture_output=True
    )
    user, _, token_hash = file.read_text().strip().partition(":")
    assert user == "t1"
    assert matches("a token", token_hash)
    assert not matches("another", token_hash)


@pytest.mark.parametrize(
    "token_hash",
    [
        "",
        "$",
        TOKEN,
        "$7$101$salt",
        HASHED + "$more",
        HASHED.replace("$7$", "$6$"),
        HASHED.replace("$101$", "$x$"),
        HASHED.replace("$101$", "$0$"),
        HASHED.replace("$101$", "$-1$"),
        HASHED.replace("$101$", f"${10**30}$"),
        "$7$101$????$" + HASHED.split("$")[4],
        "$".join([*HASHED.split("$")[:4], ""]),
    ],
    ids=lambda _: "hash",
)
def test_a_hash_that_cannot_be_read_matches_nothing(token_hash: str):
    assert not matches(TOKEN, token_hash)


def test_a_token_that_is_no_text_matches_nothing():
    assert not matches("\ud800", HASHED)


@given(st.text(st.characters(exclude_characters="0123456789"), max_size=80))
def test_reading_a_hash_never_raises(token_hash: str):
    assert not matches(TOKEN, token_hash)
