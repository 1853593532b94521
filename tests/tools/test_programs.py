"""Which programs are missing, and what is done or said about it."""

import os
from pathlib import Path

import pytest

from tools import programs
from tools.programs import CHROMIUM, MOSQUITTO, POSTGRESQL, PROGRAMS, REDIS, Program, ProgramsMissing

ABSENT = Program("Absent", ("no-such-program-anywhere",), dict.fromkeys(REDIS.packages, "absent"))


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_every_program_has_a_package_for_every_package_manager() -> None:
    managers = set(MOSQUITTO.packages)
    assert managers == {"apt-get", "dnf", "brew", "pacman"}
    assert all(set(program.packages) == managers for program in PROGRAMS)


def test_the_line_for_debian_updates_first_and_uses_sudo_twice() -> None:
    assert programs.install_line("apt-get", [MOSQUITTO, REDIS], root=False) == (
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends mosquitto redis-server"
    )


def test_root_and_homebrew_need_no_sudo() -> None:
    assert programs.install_line("dnf", [REDIS], root=True) == "dnf install -y redis"
    assert programs.install_line("brew", [MOSQUITTO, REDIS], root=False) == "brew install mosquitto redis"


def test_ubuntu_calls_chromium_by_another_name() -> None:
    assert programs.apt_package(CHROMIUM, 'NAME="Ubuntu"\nID=ubuntu\n') == "chromium-browser"
    assert programs.apt_package(CHROMIUM, "ID=debian\n") == "chromium"
    assert programs.apt_package(REDIS, "ID=ubuntu\n") == "redis-server"


def test_whoever_is_not_root_gets_the_one_line_to_run(
    as_user: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "package_manager", lambda: "pacman")
    with pytest.raises(ProgramsMissing, match=r"\n\n    sudo pacman -S --needed absent\n"):
        programs.ensure_programs(tmp_path / "log", [ABSENT])


def test_without_a_known_package_manager_the_names_are_said(
    as_user: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "package_manager", lambda: None)
    with pytest.raises(ProgramsMissing, match=r"^The tests need Absent\. Install them"):
        programs.ensure_programs(tmp_path / "log", [ABSENT])


def test_nothing_is_done_when_nothing_is_missing(tmp_path: Path) -> None:
    here = Program("Shell", ("sh",), {})
    programs.ensure_programs(tmp_path / "log", [here])
    assert not (tmp_path / "log").exists()


def make_server(folder: Path) -> str:
    folder.mkdir(parents=True)
    program = folder / "postgres"
    program.touch(mode=0o755)
    return str(program)


def test_of_several_versions_of_postgresql_beside_the_path_the_newest_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "SERVER_DIRS", ())
    monkeypatch.setattr(programs, "VERSION_DIRS", (str(tmp_path / "postgresql" / "*" / "bin"),))
    assert POSTGRESQL.locate() is None
    for version in ("9", "17", "15"):
        make_server(tmp_path / "postgresql" / version / "bin")
    assert POSTGRESQL.locate() == str(tmp_path / "postgresql" / "17" / "bin" / "postgres")


def test_a_postgresql_on_the_path_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_path = make_server(tmp_path / "chosen")
    make_server(tmp_path / "postgresql" / "99" / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "chosen"))
    monkeypatch.setattr(programs, "VERSION_DIRS", (str(tmp_path / "postgresql" / "*" / "bin"),))
    assert POSTGRESQL.locate() == on_path
