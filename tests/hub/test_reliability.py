"""docs/reliability.md names a test for what it promises: each of them is there."""

import re

from tests.parts.hub_process import ROOT


def test_every_test_that_the_promises_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    sources = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    defined = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) >= 18
    assert named - defined == set()
