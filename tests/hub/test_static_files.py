"""Collecting what pages load: once, again when something changed, and never half."""

import gzip
import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from pytest_django.fixtures import Settings

from hub.static_files import STAMP, HubStaticFiles, collect_if_changed, is_collected

IMPORT = re.compile(r"^(?:import|export)[^;]*?from \"([^\"]+)\";", re.MULTILINE)


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    """An empty STATIC_ROOT, and a folder `own` of static files that tests may change."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "note.txt").write_text("first")
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, ("own", tmp_path / "own")]
    return Path(settings.STATIC_ROOT)


def url(name: str) -> str:
    """As a process that starts now would call it."""
    return str(HubStaticFiles().url(name))


def test_nothing_collected_is_served_by_its_own_name(root: Path) -> None:
    assert url("dashboard/base.css") == "/static/dashboard/base.css"


def test_collected_files_are_named_by_content_and_compressed(root: Path) -> None:
    collect_if_changed(lambda _: None)
    name = url("dashboard/base.css").removeprefix("/static/")
    assert re.fullmatch(r"dashboard/base\.[0-9a-f]{12}\.css", name)
    plain = (root / name).read_bytes()
    assert gzip.decompress((root / f"{name}.gz").read_bytes()) == plain
    assert staticfiles_storage.url("dashboard/base.css") == f"/static/{name}"


def test_every_import_leads_to_a_collected_module(root: Path) -> None:
    collect_if_changed(lambda _: None)
    modules = list((root / "dashboard").rglob("*.js"))
    imports = [(module, each) for module in modules for each in IMPORT.findall(module.read_text())]
    assert len(imports) > 50
    for module, each in imports:
        target = root / each.removeprefix("/static/") if each.startswith("/") else module.parent / each
        assert target.is_file(), f"{module.name} imports {each}"
        assert re.search(r"\.[0-9a-f]{12}\.js$", each), f"{module.name} imports {each}"


def test_it_is_done_once_and_again_after_a_change(root: Path) -> None:
    said: list[str] = []
    collect_if_changed(said.append)
    collect_if_changed(said.append)
    assert len(said) == 1
    before = url("own/note.txt")
    (root.parent / "own" / "note.txt").write_text("the second")
    assert not is_collected()
    assert url("own/note.txt") == "/static/own/note.txt"
    collect_if_changed(said.append)
    assert len(said) == 2
    assert url("own/note.txt") not in (before, "/static/own/note.txt")
    assert not (root / before.removeprefix("/static/")).exists()


def test_an_interrupted_collecting_does_not_count(root: Path) -> None:
    collect_if_changed(lambda _: None)
    (root / STAMP).unlink()
    assert not is_collected()
    assert url("dashboard/base.css") == "/static/dashboard/base.css"


def test_a_directory_that_is_not_ours_is_not_emptied(root: Path) -> None:
    (root / "holiday.jpg").write_text("a picture")
    collect_if_changed(lambda _: None)
    assert (root / "holiday.jpg").exists()


def test_where_nothing_can_be_written_pages_stay_as_they_are(root: Path, settings: Settings) -> None:
    settings.STATIC_ROOT = root / "file" / "static"
    (root / "file").touch()
    said: list[str] = []
    collect_if_changed(said.append)
    assert "They stay uncompressed" in said[-1]
    assert url("dashboard/base.css") == "/static/dashboard/base.css"


def test_while_pages_are_being_edited_nothing_is_collected(root: Path, settings: Settings) -> None:
    settings.DEBUG = True
    collect_if_changed(lambda _: None)
    assert not is_collected()


def test_collectstatic_by_hand_does_as_well(root: Path) -> None:
    call_command("collectstatic", interactive=False, verbosity=0)
    assert is_collected()
    paths = json.loads((root / "staticfiles.json").read_text())["paths"]
    assert "vendor/uplot/uPlot.esm.js" in paths
    assert not [name for name in paths if name.endswith(".map") or "redoc" in name]
