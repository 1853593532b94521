"""Counting tests: from reports, and what a run stands for that ended badly."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.reports import Counts, judged, junit_counts, tap_counts
from tools.run_tests import RUNS, Result, node_command, summary

JUNIT = """<testsuites><testsuite tests="5">
<testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><error/></testcase>
<testcase name="d"><skipped/></testcase><testcase name="e"><system-out>x</system-out></testcase>
</testsuite></testsuites>"""


def test_an_error_counts_as_failed(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text(JUNIT)
    assert junit_counts(report) == Counts(passed=2, failed=2, skipped=1)


def test_a_report_cut_short_is_an_error(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text(JUNIT[:80])
    with pytest.raises(ElementTree.ParseError):
        junit_counts(report)


def test_the_summary_of_node_is_counted() -> None:
    text = "TAP version 13\nok 1 - a\n# tests 5\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n"
    assert tap_counts(text) == Counts(passed=2, failed=2, skipped=1)


def test_a_node_that_died_is_an_error() -> None:
    with pytest.raises(ValueError, match="no summary"):
        tap_counts("TAP version 13\nok 1 - a\n")


def test_a_run_without_a_test_has_failed() -> None:
    assert judged(Counts(), 5) == (Counts(failed=1), "no test ran")
    assert judged(Counts(), 0) == (Counts(failed=1), "no test ran")


def test_a_run_that_ends_badly_without_a_failed_test_has_failed() -> None:
    counts, remark = judged(Counts(passed=3), 1)
    assert counts == Counts(passed=3, failed=1)
    assert "code 1" in remark


def test_a_run_that_ends_well_is_what_it_counted() -> None:
    assert judged(Counts(3, 0, 1), 0) == (Counts(3, 0, 1), "")
    assert judged(Counts(3, 2, 1), 1) == (Counts(3, 2, 1), "")


def test_the_last_line_is_the_sum_over_all_runs() -> None:
    text = summary([Result("unit", Counts(10, 0, 1), 2.0), Result("stack", Counts(5, 2, 0), 3.0, "why")])
    assert text.splitlines()[-1] == "15 passed, 2 failed, 1 skipped"
    assert text.splitlines()[2].endswith("why")


def test_no_run_is_left_out() -> None:
    assert [run.name for run in RUNS] == ["unit", "servers", "stack", "browser", "javascript"]


def test_every_javascript_test_file_is_named() -> None:
    command = node_command(Path("report"))
    folder = Path(__file__).parent.parent / "js"
    named = {word for word in command or [] if word.endswith(".test.js")}
    assert named == {f"tests/js/{file.relative_to(folder)}" for file in folder.rglob("*.test.js")}
