import pytest

from devices import registry
from devices.models import Device
from hub.broker.registry import everything, one, version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tokens() -> dict[str, str]:
    registry.create_device_type("thermostat")
    return {uid: registry.create_device(uid, "thermostat")[1] for uid in ("d1", "d2")}


def test_everything_and_one_say_the_same(tokens: dict[str, str]):
    table = everything()
    assert set(table) == {"d1", "d2"}
    assert table == {uid: one(uid) for uid in table}
    assert one("nobody") is None


def test_the_newest_token_comes_first_and_an_old_one_says_when_it_ends(tokens: dict[str, str], settings):
    settings.HUB_BROKER = "embedded"
    before = version()
    registry.issue_token(Device.objects.get(uid="d1"), grace_s=60)
    account = one("d1")
    assert account
    assert [token.expires_at is None for token in account.tokens] == [True, False]
    assert version() > before


def test_a_disabled_device_is_known_and_not_enabled(tokens: dict[str, str]):
    registry.update_device(Device.objects.get(uid="d1"), enabled=False)
    account = everything()["d1"]
    assert not account.enabled
    assert account == one("d1")
