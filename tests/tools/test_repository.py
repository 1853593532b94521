"""What the repository says about itself is so: commands, pinned packages, lock file, compose file."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub.broker.mosquitto_files import configuration

ROOT = Path(__file__).resolve().parent.parent.parent
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
PROMISED = {
    "demo",
    "test",
    "setup",
    "setup-test",
    "demo-link",
    "demo-reset",
    "check",
    "bench",
    "soak",
    "screenshots",
    "help",
}


def _make_targets_in(file: str) -> set[str]:
    """The targets of the make commands in code blocks and in `code`; none if the file is not there."""
    path = ROOT / file
    parts = path.read_text(encoding="utf-8").split("```") if path.exists() else []
    blocks, prose = "\n".join(parts[1::2]), "\n".join(parts[::2])
    found = re.findall(r"^\s*(?:\$ )?make ([^\n#]+)", blocks, re.MULTILINE) + re.findall(
        r"`make ([^`]+)`", prose
    )
    return {word for command in found for word in command.split() if re.fullmatch(r"[a-z][a-z-]*", word)}


def test_every_promised_command_has_a_line_of_help() -> None:
    assert set(TARGETS) >= PROMISED


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_what_to_do_for(target: str) -> None:
    said = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_the_make_commands_that_people_read_about_exist(file: str) -> None:
    assert _make_targets_in(file) <= set(TARGETS)


def test_help_lists_every_target() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"make {target}" in said.stdout for target in TARGETS)


def test_ci_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().endswith("exec make test\n")


def _pins(file: str) -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)$", (ROOT / file).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def test_every_required_package_is_pinned_and_the_constraints_agree() -> None:
    constraints = _pins("constraints.txt")
    for file in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / file).read_text().splitlines() if line and line[0] not in "#-"]
        pins = _pins(file)
        assert len(pins) == len(lines)
        assert {name: constraints.get(name) for name in pins} == pins


def test_the_lock_file_holds_the_binaries_of_every_platform_and_no_address() -> None:
    text = (ROOT / "package-lock.json").read_text()
    packages: dict[str, dict[str, Any]] = json.loads(text)["packages"]
    wanted = {name for package in packages.values() for name in package.get("optionalDependencies", {})}
    assert wanted
    assert {f"node_modules/{name}" for name in wanted} <= set(packages)
    assert '"resolved"' not in text


def _conf_lines(text: str) -> dict[str, str]:
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, value in lines if not name.startswith(("log_", "connection_messages"))}


def test_the_broker_of_the_compose_file_is_set_up_like_the_one_that_runhub_starts() -> None:
    ours = _conf_lines((ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text())
    child = _conf_lines(configuration(Path("/mosquitto/accounts"), "0.0.0.0", 1883))
    of_the_place = {"listener", "user", "persistence_location", "max_queued_bytes"}
    assert {name: ours.get(name) for name in child if name not in of_the_place} == {
        name: value for name, value in child.items() if name not in of_the_place
    }
    assert set(ours) - {"user"} == set(child) - {"user"}
    assert ours["persistence_location"] == "/mosquitto/data/"
