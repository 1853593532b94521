import pytest

from devices.credentials import hash_token
from hub.broker.accounts import BRIDGE_SIGNED_IN, Account, Accounts, Token
from tests.hub.broker.parts import BRIDGE_PASSWORD, Book


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(book: Book, clock: Clock):
    one = Accounts(book.registry(), BRIDGE_PASSWORD, clock)
    await one.refresh()
    yield one
    await one.close()
    assert book.closed


async def test_a_device_signs_in_with_its_id_and_token(accounts: Accounts):
    assert await accounts.sign_in("d1", "token-d1")
    assert await accounts.sign_in("d1", "token-d2") is None
    assert await accounts.sign_in("d1", None) is None
    assert await accounts.sign_in(None, "token-d1") is None
    assert await accounts.sign_in("", "") is None


async def test_names_that_no_device_can_have_are_not_even_looked_up(accounts: Accounts, book: Book):
    book.accounts["d\0"] = book.accounts["d1"]
    assert await accounts.sign_in("d\0", "token-d1") is None


async def test_the_bridges_have_the_password_of_the_hub(accounts: Accounts):
    assert await accounts.sign_in("hub.bridge", BRIDGE_PASSWORD) == BRIDGE_SIGNED_IN
    assert await accounts.sign_in("hub.bridge.second", BRIDGE_PASSWORD) == BRIDGE_SIGNED_IN
    assert await accounts.sign_in("hub.bridge", "token-d1") is None
    assert await accounts.sign_in("hub.other", BRIDGE_PASSWORD) is None


async def test_a_device_registered_a_moment_ago_is_looked_up_at_once(accounts: Accounts, book: Book):
    book.put("new", "token-new")
    assert await accounts.sign_in("new", "token-new")


async def test_a_token_issued_a_moment_ago_works_at_once(accounts: Accounts, book: Book):
    book.put("d1", "another")
    assert await accounts.sign_in("d1", "another")
    assert await accounts.sign_in("d1", "token-d1") is None


async def test_an_expired_token_is_refused_and_ends_its_connection(
    accounts: Accounts, book: Book, clock: Clock
):
    book.put("d1", "short-lived", expires_at=1_010.0)
    await accounts.refresh()
    signed_in_with = await accounts.sign_in("d1", "short-lived")
    assert signed_in_with
    assert accounts.is_valid("d1", signed_in_with)
    clock.now = 1_010.0
    assert not accounts.is_valid("d1", signed_in_with)
    assert await accounts.sign_in("d1", "short-lived") is None


async def test_two_tokens_are_valid_during_an_overlap(accounts: Accounts, book: Book):
    tokens = (Token(hash_token("new")), Token(hash_token("old"), 2_000.0))
    book.accounts["d1"] = Account(True, tokens)
    assert await accounts.sign_in("d1", "old")
    assert await accounts.sign_in("d1", "new")


@pytest.mark.parametrize("end", ["disable", "delete", "rotate"])
async def test_who_was_signed_in_is_no_longer_valid_after(end: str, accounts: Accounts, book: Book):
    signed_in_with = await accounts.sign_in("d1", "token-d1")
    assert signed_in_with
    if end == "rotate":
        book.put("d1", "another")
    else:
        getattr(book, end)("d1")
    await accounts.refresh()
    assert not accounts.is_valid("d1", signed_in_with)
    assert accounts.is_known("d1") is (end != "delete")
    assert await accounts.sign_in("d1", "token-d1") is None


async def test_a_token_is_hashed_once_and_then_remembered(accounts: Accounts, monkeypatch):
    hashed = []

    def counted(token: str, token_hash: str) -> bool:
        hashed.append(token)
        return True

    monkeypatch.setattr("hub.broker.accounts.matches", counted)
    for _ in range(3):
        assert await accounts.sign_in("d1", "token-d1")
    assert hashed == ["token-d1"]


async def test_the_memory_of_tokens_is_bounded(accounts: Accounts, book: Book, monkeypatch):
    monkeypatch.setattr("hub.broker.accounts.EMBEDDED_VERIFIED_TOKENS", 2)
    for number in range(5):
        book.put(f"n{number}", "token")
        assert await accounts.sign_in(f"n{number}", "token")
    assert len(accounts._verified) <= 2


async def test_the_table_is_read_again_only_when_the_version_has_changed(accounts: Accounts, book: Book):
    book.accounts["d3"] = book.accounts["d1"]
    await accounts.refresh()
    assert not accounts.is_known("d3")
    book.version += 1
    await accounts.refresh()
    assert accounts.is_known("d3")
