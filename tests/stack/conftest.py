import shutil
from pathlib import Path

import pytest

from tests.parts.hub_process import HubEnvironment
from tests.parts.mosquitto import Mosquitto
from tests.stack.load import DEVICES, SICK, Hub
from tests.stack.parts import start_registrar


@pytest.fixture(scope="session")
def registry_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the devices of the load, made once a run."""
    environment = HubEnvironment(tmp_path_factory.mktemp("registered"))
    with start_registrar(environment) as registrar:
        for uid in (*DEVICES, SICK):
            registrar.device(uid)
    return environment.registry_file


@pytest.fixture
def hub(tmp_path: Path, registry_file: Path) -> Hub:
    """A hub of one's own beside a broker: `hub(broker)`."""

    def make(broker: Mosquitto, **variables: str) -> HubEnvironment:
        variables = {"HUB_BROKER": "open", "HUB_MQTT_URL": broker.url, **variables}
        environment = HubEnvironment(tmp_path, **variables)
        shutil.copy(registry_file, environment.registry_file)
        return environment

    return make
