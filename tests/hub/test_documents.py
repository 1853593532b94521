"""The documents say what the code does: every setting, every reason for a refusal."""

import re
from pathlib import Path

from hub.protocol.reasons import NEVER_REPLAYED, REASONS

ROOT = Path(__file__).resolve().parent.parent.parent
CODE_OF_REASONS = (
    "hub/protocol/telemetry.py",
    "hub/bridge/intake.py",
    "hub/bridge/values.py",
    "hub/bridge/batch.py",
    "hub/bridge/storing.py",
)
REASONS_OF_PAGES = "dashboard/static/dashboard/rejections.js"
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


def test_every_reason_for_a_refusal_is_listed_and_none_is_made_up() -> None:
    code = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in CODE_OF_REASONS)
    given = set(re.findall(r'(?:Fault|_fault)\(\s*"([a-z_]+)"', code)) | {"not_storable"}
    assert given == set(REASONS)
    assert set(REASONS) >= NEVER_REPLAYED
    assert all(reason.scopes and reason.sentence for reason in REASONS.values())


def test_every_reason_is_documented_under_what_it_is_said_of() -> None:
    assert documented("docs/mqtt.md") == set(REASONS)
    text = (ROOT / "docs/mqtt.md").read_text(encoding="utf-8")
    parts = re.split(r"^\| \*\*(?:the whole|one) (message|reading|value)\*\* \|.*$", text, flags=re.MULTILINE)
    for scope, part in zip(parts[1::2], parts[2::2], strict=True):
        named = {name for cell in TABLE_ROW.findall(part) for name in re.findall(r"`(\w+)`", cell)}
        assert named == {code for code, reason in REASONS.items() if scope in reason.scopes}


def test_pages_say_of_every_reason_what_the_protocol_says() -> None:
    text = (ROOT / REASONS_OF_PAGES).read_text(encoding="utf-8")
    table = text[text.index("const REASONS = {") : text.index("};")]
    shown = dict(re.findall(r'^  (\w+): "(.*)",$', table, re.MULTILINE))
    assert shown == {code: reason.sentence for code, reason in REASONS.items()}
