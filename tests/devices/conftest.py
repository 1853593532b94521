import pytest
from knox.models import get_token_model

from devices import registry
from hub.accounts.models import User
from hub.history.opening import get_history
from hub.history.store import Batch, Reading
from tests.parts.rest import Rest

NOW_MS = 1_763_796_000_000


@pytest.fixture
def history(settings, tmp_path):
    """The real store, in a file of its own."""
    settings.HUB_HISTORY_URL = f"sqlite:///{tmp_path / 'history.sqlite3'}"
    get_history.cache_clear()
    yield get_history()
    get_history().close()
    get_history.cache_clear()


@pytest.fixture
def store(history):
    """Store readings of a device: store(device, {"temperature": 21.5}, ts_ms=...)."""

    def append(device, values, ts_ms=NOW_MS, received_ms=None):
        received_ms = ts_ms if received_ms is None else received_ms
        history.append(Batch(received_ms, [Reading(device.pk, ts_ms, received_ms, None, values)]))

    return append


@pytest.fixture
def user(db):
    # Without a password: hashing one takes longer than the test.
    return User.objects.create_user("ada")


@pytest.fixture
def api(user):
    """REST as a signed-in user."""
    return Rest(get_token_model().objects.create(user=user)[1])


@pytest.fixture
def nobody(db):
    """REST without a token."""
    return Rest()


@pytest.fixture
def thermostat(db):
    return registry.create_device_type(
        "thermostat",
        name="Thermostat",
        expected_interval_s=60.0,
        metrics=[
            {"key": "temperature", "unit": "°C", "minimum": -40.0, "maximum": 85.0},
            {"key": "door", "kind": "boolean"},
            {"key": "mode", "kind": "text"},
        ],
    )


@pytest.fixture
def device(thermostat):
    return registry.create_device("t1", "thermostat", name="First", labels={"site": "north"})[0]
