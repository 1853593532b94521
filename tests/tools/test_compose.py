"""The compose file and the Dockerfile: pinned, hardened, without a secret, and one with the settings."""

import re
import shlex
from typing import Any

import pytest
import yaml

from hub.limits.live import CLIENT_MESSAGE_MAX_BYTES
from tests.parts.compose import FILE, VariableMissingError, compose, fill_in
from tests.parts.hub_process import ROOT

SECRETS = {
    name: f"given-{name}" for name in ("HUB_SECRET_KEY", "HUB_BRIDGE_PASSWORD", "HUB_POSTGRES_PASSWORD")
}
SERVICES: dict[str, Any] = compose(SECRETS)["services"]
RAW: dict[str, Any] = yaml.safe_load(FILE.read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z0-9-]+)?")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}-${B}", "1-"),
        ("${A:-2}${B:-2}", "12"),
        ("${A:?must be set}", "1"),
        ("a$b", "a$b"),
    ],
)
def test_variables_are_filled_in_as_the_specification_says(text: str, filled: str) -> None:
    assert fill_in(text, {"A": "1"}) == filled


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_it_does_not_start_and_names_the_variable(name: str) -> None:
    others = {other: value for other, value in SECRETS.items() if other != name}
    with pytest.raises(VariableMissingError, match=f"Set {name} in .env"):
        compose(others)


def _environment_values(services: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (name, key): str(value)
        for name, service in services.items()
        for key, value in service.get("environment", {}).items()
    }


def test_no_secret_stands_in_the_file() -> None:
    for (service, name), value in _environment_values(RAW["services"]).items():
        password = re.search(r"//[^:/@]+:([^@]*)@", value)
        if password is not None:
            assert password[1].startswith("${"), f"{service}: {name}"
        elif re.search("SECRET|PASSWORD|TOKEN", name):
            assert value.startswith("${"), f"{service}: {name}"


def test_only_who_signs_in_to_the_broker_knows_the_password_of_the_bridge() -> None:
    values = _environment_values(SERVICES).items()
    knowing = {service for (service, _), value in values if SECRETS["HUB_BRIDGE_PASSWORD"] in value}
    assert knowing == {"bridge", "housekeeping"}


def test_every_variable_of_the_hub_is_a_setting() -> None:
    settings = (ROOT / "hub" / "settings.py").read_text()
    names = {name for _, name in _environment_values(SERVICES) if name.startswith("HUB_")} - {"HUB_TOKEN"}
    assert len(names) > 10
    assert {name for name in names if f'"{name}"' not in settings} == set()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if service["image"] != "telemetry-hub":
        assert str(service["user"]).split(":")[0] not in ("root", "0")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_but_the_one_that_runs_once(name: str) -> None:
    assert SERVICES[name]["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_our_image_runs_as_the_number_that_mosquitto_has() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["1883:1883"]
    assert SERVICES["mosquitto"]["user"] == "1883:1883"


def test_images_are_pinned() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"telemetry-hub"}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(images) == 5
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_what_others_wait_for_can_be_asked() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"
    assert {"web", "bridge"} <= {name for name, service in SERVICES.items() if "healthcheck" in service}


def test_what_must_last_is_in_a_volume_and_each_volume_is_used() -> None:
    mounts = [each.split(":")[:2] for service in SERVICES.values() for each in service.get("volumes", ())]
    named = {source: target for source, target in mounts if not source.startswith(".")}
    assert set(named) == set(RAW["volumes"])
    assert named["postgres"] == "/var/lib/postgresql/data"
    conf = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
    assert f"persistence_location {named['broker']}/" in conf


def test_one_bridge_stands_by_and_housekeeping_is_one() -> None:
    assert SERVICES["bridge"]["deploy"]["replicas"] == 2
    assert "deploy" not in SERVICES["housekeeping"]


def test_only_web_and_broker_are_published_and_on_loopback_unless_told() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "mosquitto": ["127.0.0.1:1883:1883"]}


def _rows(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of docs/production.md."""
    text = (ROOT / "docs" / "production.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    return set(re.findall(r"^\| `(\w+)` \|", text.partition("\n## ")[0], re.MULTILINE))


def test_the_document_about_production_knows_every_service_and_volume() -> None:
    assert _rows("Parts") == set(SERVICES)
    assert _rows("What must last") == set(RAW["volumes"])


def test_databases_are_on_a_network_without_a_way_out() -> None:
    assert RAW["networks"]["inside"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]


def test_the_web_process_takes_messages_of_the_size_that_the_hub_takes() -> None:
    command = SERVICES["web"]["command"]
    for option in ("--websocket-max-message-size", "--websocket-max-frame-size"):
        assert command[command.index(option) + 1] == str(CLIENT_MESSAGE_MAX_BYTES)
    said = DOCKERFILE.partition("\nCMD ")[2].replace("\\\n", "")
    assert shlex.split(said.strip().strip("[]").replace(",", " ")) == command


def test_the_image_holds_what_it_copies_and_nothing_else_is_sent_to_its_builder() -> None:
    copied = {
        word
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert copied == set(allowed)
    assert {name for name in copied if not (ROOT / name).exists()} == set()
