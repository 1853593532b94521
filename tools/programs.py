"""The programs that tests need and that no Python or npm package brings: found, installed or asked for."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from tools.steps import StepFailed, run_step

# Servers live here on Debian and with Homebrew, and a user's PATH often leaves it out.
SERVER_DIRS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin")
# PostgreSQL's programs lie apart from all others, in a directory a version; the newest is asked first.
VERSION_DIRS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/pgsql-*/bin",
)


@dataclass(frozen=True, slots=True)
class Program:
    """`commands`: any of these will do. `packages`: package manager -> its package."""

    name: str
    commands: tuple[str, ...]
    packages: Mapping[str, str]

    def locate(self) -> str | None:
        """The full path of the program, or None."""
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SERVER_DIRS, *_version_dirs()))
        return next((found for name in self.commands if (found := shutil.which(name, path=path))), None)


def _version_dirs() -> list[str]:
    found = [path for pattern in VERSION_DIRS for path in glob(pattern)]
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path)], reverse=True)


MOSQUITTO = Program(
    "Mosquitto",
    ("mosquitto",),
    {"apt-get": "mosquitto", "dnf": "mosquitto", "brew": "mosquitto", "pacman": "mosquitto"},
)
MOSQUITTO_CLIENTS = Program(
    "mosquitto_pub",
    ("mosquitto_pub",),
    {"apt-get": "mosquitto-clients", "dnf": "mosquitto", "brew": "mosquitto", "pacman": "mosquitto"},
)
REDIS = Program(
    "Redis",
    ("redis-server",),
    {"apt-get": "redis-server", "dnf": "redis", "brew": "redis", "pacman": "valkey"},
)
POSTGRESQL = Program(
    "PostgreSQL",
    ("postgres",),
    {
        "apt-get": "postgresql",
        "dnf": "postgresql-server",
        "brew": "postgresql@17",
        "pacman": "postgresql",
    },
)
CHROMIUM = Program(
    "Chromium",
    (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ),
    {"apt-get": "chromium", "dnf": "chromium", "brew": "google-chrome", "pacman": "chromium"},
)
PROGRAMS = (MOSQUITTO, MOSQUITTO_CLIENTS, REDIS, POSTGRESQL, CHROMIUM)

_COMMANDS = {
    "apt-get": "apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}",
    "dnf": "dnf install -y {packages}",
    "pacman": "pacman -S --needed {packages}",
    "brew": "brew install {packages}",
}


class ProgramsMissing(Exception):
    """Programs are missing and cannot be installed from here; the message holds the line to run."""


def package_manager() -> str | None:
    """The first package manager on PATH of those that we know."""
    return next((name for name in _COMMANDS if shutil.which(name)), None)


def apt_package(program: Program, os_release: str) -> str:
    """Debian's name of the package, or Ubuntu's where that differs."""
    if program is CHROMIUM and "ID=ubuntu" in os_release.splitlines():
        return "chromium-browser"
    return program.packages["apt-get"]


def _os_release() -> str:
    file = Path("/etc/os-release")
    return file.read_text(encoding="utf-8") if file.exists() else ""


def install_line(manager: str, missing: Sequence[Program], *, root: bool) -> str:
    """The one line that installs what is missing.

    >>> install_line("dnf", [REDIS], root=False)
    'sudo dnf install -y redis'
    """
    sudo = "" if root or manager == "brew" else "sudo "
    names = (apt_package(p, _os_release()) if manager == "apt-get" else p.packages[manager] for p in missing)
    packages = " ".join(dict.fromkeys(names))
    return sudo + _COMMANDS[manager].format(sudo=sudo, packages=packages)


def missing_programs(programs: Sequence[Program] = PROGRAMS) -> list[Program]:
    return [program for program in programs if program.locate() is None]


def ensure_programs(log: Path, programs: Sequence[Program] = PROGRAMS) -> None:
    """Installs what is missing, as root with apt-get; else raises ProgramsMissing with the line to run."""
    missing = missing_programs(programs)
    if not missing:
        return
    names = ", ".join(program.name for program in missing)
    manager = package_manager()
    if manager == "apt-get" and os.geteuid() == 0:
        print(f"The tests need {names}: installing with apt-get, as this is root.")
        _apt_install(missing, log)
        return
    if manager is None:
        raise ProgramsMissing(f"The tests need {names}. Install them and run this again.")
    line = install_line(manager, missing, root=os.geteuid() == 0)
    raise ProgramsMissing(f"The tests need {names}. Run this one line, then try again:\n\n    {line}\n")


def _apt_install(missing: Sequence[Program], log: Path) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = [apt_package(program, _os_release()) for program in missing]
    run_step("Package lists", ["apt-get", "update"], log, env)
    run_step(
        f"Debian packages {' '.join(packages)}",
        ["apt-get", "install", "-y", "--no-install-recommends", *packages],
        log,
        env,
    )
    for program in missing:
        _prove(program)


def _prove(program: Program) -> None:
    """A package may hold nothing but a pointer to a snap, which a container cannot run: try it."""
    path = program.locate()
    if path is None:
        raise StepFailed(
            f"{program.name} was installed, but none of {', '.join(program.commands)} is on PATH."
        )
    if program is not CHROMIUM:
        return
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if said.returncode:
        raise StepFailed(
            f"{path} was installed but does not run: {(said.stdout + said.stderr).strip()[:300]}\n"
            "Install a Chromium or Google Chrome that runs here and try again."
        )
