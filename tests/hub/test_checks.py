"""What `manage.py check` warns of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from hub import checks
from hub.history.opening import open_history
from tests.parts.hub_process import ROOT


@pytest.fixture(autouse=True)
def of_check(monkeypatch: pytest.MonkeyPatch) -> None:
    run_as(monkeypatch, "check")


def run_as(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Let a check believe that this management command runs."""
    monkeypatch.setattr(sys, "argv", ["manage.py", command])


def ids(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_an_open_broker_is_warned_of(settings: Settings) -> None:
    settings.HUB_BROKER = "open"
    assert ids(checks.broker_is_open()) == ["hub.W001"]
    settings.HUB_BROKER = "mosquitto"
    assert ids(checks.broker_is_open()) == []


@pytest.mark.parametrize(
    ("command", "mqtt_url", "warned"),
    [
        ("check", "mqtt://broker", True),
        ("check", None, False),
        ("bridge", "mqtt://broker", True),
        ("bridge", None, True),
        ("runhub", "mqtt://broker", False),
        ("demo", None, False),
    ],
)
def test_a_bridge_of_its_own_without_redis_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, command: str, mqtt_url: str | None, warned: bool
) -> None:
    run_as(monkeypatch, command)
    settings.HUB_MQTT_URL, settings.HUB_REDIS_URL = mqtt_url, None
    assert ids(checks.layer_is_shared()) == (["hub.W002"] if warned else [])
    settings.HUB_REDIS_URL = "redis://layer"
    assert ids(checks.layer_is_shared()) == []


def test_a_history_that_was_not_prepared_is_warned_of_when_it_is_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "history.sqlite3"
    settings.HUB_HISTORY_URL = f"sqlite:///{file}"
    (warning,) = checks.history_is_prepared()
    assert warning.id == "hub.W003"
    assert str(file) in warning.msg
    assert not file.exists(), "to look does not prepare it"
    run_as(monkeypatch, "migrate")
    assert checks.history_is_prepared() == []
    run_as(monkeypatch, "check")
    open_history(settings.HUB_HISTORY_URL, 8).close()
    assert checks.history_is_prepared() == []


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_embedded_broker_on_loopback_is_right(settings: Settings, bind: str) -> None:
    settings.HUB_MQTT_BIND = bind
    assert checks.embedded_broker_is_on_loopback() == []


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.168.1.5", "::", "plant"])
def test_an_embedded_broker_elsewhere_is_an_error(settings: Settings, bind: str) -> None:
    settings.HUB_MQTT_BIND = bind
    assert ids(checks.embedded_broker_is_on_loopback()) == ["hub.E001"]
    settings.HUB_BROKER = "mosquitto"
    assert checks.embedded_broker_is_on_loopback() == []


def test_the_command_names_what_it_finds_and_fails_on_a_bad_url(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    environment |= {"HUB_DATA_DIR": str(tmp_path), "HUB_MQTT_BIND": "0.0.0.0"}
    found = _check(environment)
    assert found.returncode == 1
    assert "hub.E001" in found.stderr
    assert "hub.W003" in found.stderr
    refused = _check({**environment, "HUB_MQTT_URL": "http://broker", "HUB_REDIS_URL": "nonsense"})
    assert refused.returncode != 0
    assert "HUB_MQTT_URL" in refused.stderr
    assert "HUB_REDIS_URL" in refused.stderr


def _check(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
