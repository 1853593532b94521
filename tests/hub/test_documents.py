"""The documents say what the code does: every setting, every reason for a refusal."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CODE_OF_REASONS = (
    "hub/protocol/telemetry.py",
    "hub/bridge/intake.py",
    "hub/bridge/batch.py",
    "hub/bridge/storing.py",
)
TABLE_ROW = re.compile(r"^\| ((?:`[A-Za-z_]+`(?:, )?)+) \|", re.MULTILINE)


def documented(file: str) -> set[str]:
    """The names in the first column of a document's tables."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return {name for cell in TABLE_ROW.findall(text) for name in re.findall(r"`(\w+)`", cell)}


def test_every_setting_is_documented_and_none_is_made_up() -> None:
    code = (ROOT / "hub/settings.py").read_text(encoding="utf-8")
    settings = set(re.findall(r'env\.\w+\(\s*"(HUB_[A-Z_]+)"', code))
    assert len(settings) > 15
    assert documented("docs/settings.md") == settings


def test_every_reason_for_a_refusal_is_documented_and_none_is_made_up() -> None:
    code = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in CODE_OF_REASONS)
    given = set(re.findall(r'(?:Fault|_fault)\(\s*"([a-z_]+)"', code)) | {"not_storable"}
    assert len(given) > 15
    assert documented("docs/mqtt.md") == given
