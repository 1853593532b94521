"""Every check that needs no test:  python -m tools.check [name …]

Each runs to its end, whatever the others say; what a failed one printed is shown.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.node import tool_env
from tools.reports import Counts
from tools.setup import ROOT, VENV

PYTHON = str(VENV / "bin" / "python")
MANAGE = (PYTHON, "-W", "ignore::UserWarning", "manage.py")
# It has no command of its own: whatever needs the history prepares it.
PREPARE_HISTORY = (
    *(*MANAGE, "shell", "--no-imports", "-c"),
    "from hub.history.opening import get_history; get_history().close()",
)


@dataclass(frozen=True, slots=True)
class Check:
    """`before`: a command that makes what the check itself looks at."""

    name: str
    command: tuple[str, ...]
    before: tuple[str, ...] = ()


CHECKS = (
    Check("ruff", (PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise", ".")),
    Check("format", (PYTHON, "-m", "ruff", "format", "--check", "--output-format=concise", ".")),
    Check("layers", (str(VENV / "bin" / "lint-imports"), "--no-logo")),
    Check("biome", ("node_modules/.bin/biome", "ci", "--error-on-warnings", "--colors=off")),
    Check("tsc", ("node_modules/.bin/tsc", "--project", "tsconfig.json", "--pretty", "false")),
    Check(
        "compose",
        (PYTHON, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"),
    ),
    Check("django", (*MANAGE, "check", "--fail-level", "WARNING"), before=PREPARE_HISTORY),
    Check("migrations", (*MANAGE, "makemigrations", "--check", "--dry-run")),
    Check("mypy", (PYTHON, "-m", "mypy", "--no-error-summary")),
)


def plain_environment(data_dir: str) -> dict[str, str]:
    """Ours without any setting of the hub, and with its data somewhere that goes away."""
    env = {name: value for name, value in tool_env(VENV).items() if not name.startswith("HUB_")}
    return {**env, "HUB_DATA_DIR": data_dir}


def run_check(check: Check, env: dict[str, str]) -> bool:
    """Runs one check; prints a line about it, and all that it said if it failed."""
    print(f"  {check.name:<11}", end="", flush=True)
    started = time.monotonic()
    commands = [command for command in (check.before, check.command) if command]
    failed = next((done for done in (_run(command, env) for command in commands) if done.returncode), None)
    print(f"{'FAILED' if failed else 'ok'}  {time.monotonic() - started:.1f} s", flush=True)
    if failed:
        print(f"    $ {' '.join(failed.args).replace(f'{ROOT}/', '')}")
        print("".join(f"    {line}\n" for line in failed.stdout.splitlines()), flush=True)
    return failed is None


def _run(command: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def run_checks(names: Sequence[str] = ()) -> Counts:
    """Runs the named checks (none named: all) and counts each as a test."""
    print("Checks", flush=True)
    counts = Counts()
    with tempfile.TemporaryDirectory(prefix="hub-check-") as data_dir:
        env = plain_environment(data_dir)
        for check in CHECKS:
            if not names or check.name in names:
                ok = run_check(check, env)
                counts += Counts(passed=int(ok), failed=int(not ok))
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.check", description="Runs every check that needs no test.")
    known = [check.name for check in CHECKS]
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(known)}")
    names: list[str] = parser.parse_args(argv).names
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"there is no check {', '.join(unknown)}; the checks are {', '.join(known)}")
    counts = run_checks(names)
    print(
        f"{counts.failed} of {counts.ran} checks failed." if counts.failed else f"{counts.ran} checks passed."
    )
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
