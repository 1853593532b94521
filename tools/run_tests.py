"""Checks and every test run, one after another:  python -m tools.run_tests [checks] [unit] [stack] …

Each run is a process of its own (the browser's event loop and pytest-asyncio's do not go together). The last
line is the sum over all runs; whatever failed, also a check or a run without a test, fails the whole.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.check import run_checks
from tools.node import find_node, tool_env
from tools.programs import SERVER_DIRS
from tools.reports import Counts, judged, junit_counts, tap_counts
from tools.setup import ROOT, VENV

REPORTS = ROOT / "test-results"
# A run that takes longer hangs; pytest itself shows where a test hangs after faulthandler_timeout.
LIMIT_S = 30 * 60
# How long a run that was told to stop may take to end what it has started.
FAREWELL_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """One process. `command` makes its command line from the file for its report; None: there is no test."""

    name: str
    command: Callable[[Path], list[str] | None]
    read: Callable[[Path], Counts]


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    counts: Counts
    seconds: float
    remark: str = ""


def pytest_run(name: str, *arguments: str) -> Run:
    def command(report: Path) -> list[str]:
        python = str(VENV / "bin" / "python")
        return [python, "-m", "pytest", "-q", f"--junit-xml={report}", *arguments]

    return Run(name, command, junit_counts)


def node_command(report: Path) -> list[str] | None:
    """`node --test` with every file named: what node makes of a folder differs from version to version."""
    node = find_node(VENV)
    files = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "js").rglob("*.test.js"))
    if node is None or not files:
        return None
    to_screen = ["--test-reporter=spec", "--test-reporter-destination=stdout"]
    to_file = ["--test-reporter=tap", f"--test-reporter-destination={report}"]
    return [node.node, "--test", *to_screen, *to_file, *files]


# Rooms whose tests mostly wait for brokers and databases: a run of their own, so that "unit" stays quick.
WITH_SERVERS = ("hub/broker", "hub/history", "simulators")
APART = (*WITH_SERVERS, "stack", "e2e", "bench", "js")
# More processes than cores: each waits for its servers most of the time.
PARALLEL = ("-n", "3")
RUNS = (
    pytest_run("unit", "tests", *PARALLEL, *(f"--ignore=tests/{folder}" for folder in APART)),
    pytest_run("servers", *PARALLEL, *(f"tests/{folder}" for folder in WITH_SERVERS)),
    # `loadgroup`: tests marked as one group share what they have started.
    pytest_run("stack", "-n", "2", "--dist", "loadgroup", "tests/stack"),
    pytest_run("browser", "tests/e2e"),
    Run("javascript", node_command, lambda report: tap_counts(report.read_text(encoding="utf-8"))),
)
NAMES = ("checks", *(run.name for run in RUNS))


def run_environment() -> dict[str, str]:
    """Ours without any setting of the hub; servers in an sbin directory are found."""
    env = {name: value for name, value in tool_env(VENV).items() if not name.startswith("HUB_")}
    return {**env, "PATH": os.pathsep.join((env["PATH"], *SERVER_DIRS))}


def execute(run: Run) -> Result:
    """Runs it with its output on the screen, and reads its report."""
    print(f"\n=== {run.name}", flush=True)
    started = time.monotonic()
    report = REPORTS / f"{run.name}.report"
    report.unlink(missing_ok=True)
    command = run.command(report)
    code = to_the_end(command, LIMIT_S) if command else 0
    counts, remark = Counts(), ""
    if command:
        try:
            counts = run.read(report)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            counts, remark = Counts(failed=1), f"ended with code {code} and without a report ({error})"
    counts, more = judged(counts, code)
    return Result(run.name, counts, time.monotonic() - started, remark or more)


def to_the_end(command: Sequence[str], limit_s: float) -> int:
    """The exit code; after `limit_s` it is interrupted as by Ctrl-C, so that it ends what it has started."""
    process = subprocess.Popen(command, cwd=ROOT, env=run_environment(), stdin=subprocess.DEVNULL)
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"Not done after {limit_s:.0f} s: it hangs, and is stopped.", flush=True)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(FAREWELL_S)
        return 1
    finally:
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(FAREWELL_S)
            process.kill()


def summary(results: Sequence[Result]) -> str:
    """A line a run, and the sum as the last line."""
    lines = [f"{'run':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>9}"]
    total = Counts()
    for result in results:
        counts = result.counts
        figures = f"{counts.passed:>8}{counts.failed:>8}{counts.skipped:>9}{result.seconds:>7.0f} s"
        lines.append(f"{result.name:<12}{figures}  {result.remark}".rstrip())
        total += counts
    return "\n".join((*lines, str(total)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tools.run_tests", description="Runs checks and tests.")
    parser.add_argument("names", nargs="*", metavar="run", help=f"some of: {', '.join(NAMES)}")
    names: list[str] = parser.parse_args(argv).names or list(NAMES)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"there is no run {', '.join(unknown)}; the runs are {', '.join(NAMES)}")
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir()
    results = []
    try:
        if "checks" in names:
            started = time.monotonic()
            counts = run_checks()
            results.append(Result("checks", counts, time.monotonic() - started))
        results += [execute(run) for run in RUNS if run.name in names]
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    print(f"\n{summary(results)}", flush=True)
    return 1 if any(result.counts.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
