"""The command line: what it lists, and what it refuses."""

import json
from pathlib import Path

import pytest

from simulators.cli import local_utc_offset_s, main, make_parser, run_options
from simulators.models import MODELS
from simulators.session import RunOptions


def options(*arguments: str) -> RunOptions:
    parser = make_parser()
    return run_options(parser, parser.parse_args(["run", *arguments]))


def test_list_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(slug in shown for slug in MODELS)


def test_list_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    assert [each["slug"] for each in json.loads(capsys.readouterr().out)] == list(MODELS)


def test_describe_shows_metrics_and_a_reading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "water-pump"]) == 0
    shown = capsys.readouterr().out
    assert "vibration" in shown
    assert '"seq":0' in shown
    assert main(["describe", "water-pump", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["sample"]) == {"ts", "seq", "values"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["describe", "thermostatt"], "Did you mean 'thermostat'?"),
        (["run", "--token", "t", "--device-type", "x"], "there is no model 'x'"),
        (["run", "--token", "t", "--count", "0"], "at least 1"),
        (["run", "--token", "t", "--interval", "0"], "'0' is no time"),
        (["run", "--token", "t", "--backfill", "yesterday"], "'yesterday' is no time"),
        (["run", "--token", "t", "--prefix", "a/"], "gives device ids like 'a/"),
        (["run"], "A token is needed: --token, or HUB_TOKEN"),
    ],
)
def test_usage_errors_are_sentences(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HUB_TOKEN", raising=False)
    monkeypatch.delenv("HUB_TOKEN_FILE", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_token_comes_from_argument_environment_or_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    monkeypatch.delenv("HUB_TOKEN", raising=False)
    monkeypatch.setenv("HUB_TOKEN_FILE", str(file))
    assert options().token == "from-file"
    monkeypatch.setenv("HUB_TOKEN", "from-environment")
    assert options().token == "from-environment"
    assert options("--token", "from-argument").token == "from-argument"
    monkeypatch.delenv("HUB_TOKEN")
    file.unlink()
    with pytest.raises(SystemExit):
        options()
    assert "which cannot be read" in capsys.readouterr().err


def test_options_say_what_is_run() -> None:
    chosen = options(
        *("--token", "t", "--device-type", "water-pump", "--device-type", "thermostat", "--count", "3"),
        *(
            "--interval",
            "0.5",
            "--backfill",
            "24h",
            "--duration",
            "90s",
            "--utc-offset",
            "-3.5",
            "--seed",
            "9",
        ),
    )
    assert [each.slug for each in chosen.types] == ["water-pump", "thermostat"]
    assert chosen.count == 3
    assert chosen.duration_s == 90
    assert (chosen.fleet.interval_s, chosen.fleet.backfill_s) == (0.5, 86_400)
    assert (chosen.fleet.utc_offset_s, chosen.fleet.seed) == (-12_600, 9)


def test_without_options_every_model_runs_until_it_is_ended() -> None:
    chosen = options("--token", "t")
    assert [each.slug for each in chosen.types] == list(MODELS)
    assert (chosen.count, chosen.prefix, chosen.duration_s) == (10, "sim-", None)
    assert chosen.fleet.utc_offset_s == local_utc_offset_s()
    assert chosen.fleet.backfill_s is None


def test_quiet_and_json_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["run", "--quiet", "--json"])
    assert "not allowed with" in capsys.readouterr().err
