"""docker-compose.yml as Compose reads it: variables filled in, commands and environments as they run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.parts.hub_process import ROOT

FILE: Final = ROOT / "docker-compose.yml"
_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^{}]*))?\}")


class VariableMissingError(Exception):
    """A variable that the file demands is not set; the text is the file's own."""


def fill_in(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as the Compose specification says."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"], "")
        if given or match["how"] is None:
            return given
        if match["how"] == "?":
            raise VariableMissingError(match["rest"] or f"{match['name']} is not set")
        return match["rest"]

    return _VARIABLE.sub(value, text)


def compose(variables: Mapping[str, str], file: Path = FILE) -> dict[str, Any]:
    """The whole file. Raises VariableMissingError."""
    document = _filled(yaml.safe_load(file.read_text(encoding="utf-8")), variables)
    assert isinstance(document, dict)
    return document


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return fill_in(node, variables)
    if isinstance(node, list):
        return [_filled(each, variables) for each in node]
    if isinstance(node, dict):
        return {key: _filled(each, variables) for key, each in node.items()}
    return node
