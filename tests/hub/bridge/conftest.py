from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devices import registry
from hub.bridge import storing
from hub.bridge.records import Records
from tests.hub.bridge.trouble import TroubledStore
from tests.hub.bridge.workbench import Bench


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TroubledStore]:
    opened = TroubledStore(tmp_path / "history.sqlite3")
    opened.prepare()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr(storing, "STORE_RETRY_MIN_S", 0.001)
    monkeypatch.setattr(storing, "STORE_RETRY_MAX_S", 0.002)


@pytest.fixture
def records() -> Iterator[Records]:
    opened = Records()
    yield opened
    opened.close()


@pytest.fixture
def thermostat(transactional_db: None) -> None:
    registry.create_device_type(
        "thermostat",
        expected_interval_s=60.0,
        metrics=[{"key": "temperature", "minimum": -40.0, "maximum": 85.0}, {"key": "mode", "kind": "text"}],
    )
    registry.create_device("t1", "thermostat")


@pytest.fixture
async def bench(store: TroubledStore, records: Records) -> AsyncIterator[Bench]:
    made = Bench(store, records)
    yield made
    made.worker.stop()
