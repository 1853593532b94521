"""The progress lines of the set-up, and what happens when a step fails."""

import sys
from pathlib import Path

import pytest

from tools.steps import Progress, StepFailed, headline, run_step


def test_a_headline_leaves_out_the_address_and_the_reason() -> None:
    line = "Downloading https://host/packages/a/b/Twisted-26.10-py3-none-any.whl (3.2 MB)"
    assert headline(line) == "Downloading Twisted-26.10-py3-none-any.whl (3.2 MB)"
    assert (
        headline("Collecting cffi>=2.0 (from autobahn->daphne->-r /x/requirements.txt)")
        == "Collecting cffi>=2.0"
    )


def test_a_headline_names_no_folder_of_this_machine() -> None:
    assert headline("Processing /some/where/rich-15.0.0.whl") == "Processing rich-15.0.0.whl"


def test_a_headline_counts_packages_instead_of_naming_them_all() -> None:
    assert headline("Installing collected packages: a, b, c") == "Installing 3 packages"


def test_warnings_and_blank_lines_are_no_headlines() -> None:
    assert headline("WARNING: something about a mirror") == ""
    assert headline("  \x1b[0m ") == ""


def test_a_headline_fits_on_a_line() -> None:
    assert len(headline("x" * 500)) == 70


def test_without_a_terminal_a_line_comes_every_five_seconds() -> None:
    progress = Progress("Packages", tty=False, now=100.0)
    progress.hear("Collecting a")
    assert progress.tick(104.9) == ""
    assert progress.tick(105.0) == "  Packages, 5 s: Collecting a\n"
    assert progress.tick(109.0) == ""
    assert progress.end(112.34, ok=True) == "  Packages: done (12.3 s)\n"


def test_on_a_terminal_one_line_is_redrawn() -> None:
    progress = Progress("Packages", tty=True, now=0.0)
    assert progress.tick(1.0) == "\r\x1b[K  Packages, 1 s"


def test_on_a_narrow_terminal_the_line_does_not_wrap() -> None:
    progress = Progress("Packages", tty=True, now=0.0, columns=20)
    progress.hear("Collecting something-with-a-long-name")
    assert progress.tick(1.0) == "\r\x1b[K" + "  Packages, 1 s: Co"


def test_a_step_keeps_all_it_printed_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_step("Talking", [sys.executable, "-c", "print('one'); print('two')"], tmp_path / "log")
    assert "one\ntwo\n" in (tmp_path / "log").read_text()
    assert "Talking: done" in capsys.readouterr().out


def test_a_step_that_fails_shows_the_end_of_what_it_printed(tmp_path: Path) -> None:
    code = "import sys; print('the reason'); sys.exit(3)"
    with pytest.raises(StepFailed, match=r"the reason\nBreaking failed \(code 3\)"):
        run_step("Breaking", [sys.executable, "-c", code], tmp_path / "log")


def test_a_step_is_never_asked_anything(tmp_path: Path) -> None:
    run_step("Asking", [sys.executable, "-c", "import sys; assert sys.stdin.read() == ''"], tmp_path / "log")
