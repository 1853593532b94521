"""Counts of a test run, read from what the runners write for machines."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class Counts:
    """Tests of one run; an error counts as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def ran(self) -> int:
        return self.passed + self.failed + self.skipped


def junit_counts(report: Path) -> Counts:
    """Counts of a JUnit XML file, one a test case. Raises OSError or ParseError when it is not whole."""
    counts = Counts()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        if case.find("failure") is not None or case.find("error") is not None:
            counts += Counts(failed=1)
        elif case.find("skipped") is not None:
            counts += Counts(skipped=1)
        else:
            counts += Counts(passed=1)
    return counts


def tap_counts(text: str) -> Counts:
    """Counts of node's TAP output, from the summary at its end. Raises ValueError when there is none."""
    summary = {name: int(count) for name, count in re.findall(r"^# (\w+) (\d+)$", text, re.MULTILINE)}
    if "pass" not in summary:
        raise ValueError("the TAP report has no summary: node ended before its tests did")
    return Counts(
        passed=summary["pass"],
        failed=summary.get("fail", 0) + summary.get("cancelled", 0),
        skipped=summary.get("skipped", 0) + summary.get("todo", 0),
    )


def judged(counts: Counts, code: int) -> tuple[Counts, str]:
    """The counts that a run stands for, given how it ended, and what is to be said about it ("" if nothing).

    A run that found no test has failed, and so has one that ended badly without naming a failed test.
    """
    if counts.ran == 0:
        return Counts(failed=1), "no test ran"
    if code and not counts.failed:
        return counts + Counts(failed=1), f"ended with code {code}, although no test failed"
    return counts, ""
