"""The command line: run, list, describe."""

import argparse
import asyncio
import difflib
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from hub.protocol.topics import DEVICE_ID_PATTERN
from simulators.display import Display, JsonDisplay, QuietDisplay, RichDisplay
from simulators.fleet import FleetPlan, wall_clock_ms
from simulators.models import MODELS
from simulators.readings import Track
from simulators.registration import plan_fleet
from simulators.session import EXIT_OK, RunOptions, run
from simulators.spec import ModelType
from simulators.weather import Weather

EXIT_USAGE: Final = 2
DEFAULT_PREFIX: Final = "sim-"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Answers the exit code: 0 well, 1 hub or broker trouble, 2 usage."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.command == "list":
        return show_list(options.json)
    if options.command == "describe":
        return describe(MODELS[options.name], options.json)
    return asyncio.run(run(run_options(parser, options), _display(options)))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators", description="Pretend devices that behave like the things they are."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="the models that there are")
    listing.add_argument("--json", action="store_true", help="as JSON")
    describing = commands.add_parser("describe", help="one model: its metrics and a reading")
    describing.add_argument("name", type=_model_name, help=f"one of {', '.join(MODELS)}")
    describing.add_argument("--json", action="store_true", help="as JSON")
    _add_run(commands.add_parser("run", help="register devices with a hub and let them measure"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--hub", default="http://127.0.0.1:8000", metavar="URL", help="the hub (default: %(default)s)")
    add(
        "--token", metavar="T", help="an API token; better in HUB_TOKEN, or in a file named by HUB_TOKEN_FILE"
    )
    add(
        "--device-type",
        action="append",
        type=_model_name,
        metavar="NAME",
        help=f"a model, repeatable; all of them when not given ({', '.join(MODELS)})",
    )
    add("--count", type=_positive_int, default=10, metavar="N", help="devices of each type (default: 10)")
    add(
        "--interval", type=_duration_s, metavar="S", help="seconds between readings (default: the type's own)"
    )
    add("--seed", type=int, default=1, metavar="N", help="the same seed gives the same readings (default: 1)")
    add("--duration", type=_duration_s, metavar="S", help="end after so long (default: at Ctrl-C)")
    add("--prefix", default=DEFAULT_PREFIX, metavar="P", help="of all device ids (default: %(default)s)")
    add("--backfill", type=_duration_s, metavar="24h", help="first fill the past, one reading a minute")
    add("--utc-offset", type=float, metavar="H", help="hours; of the day cycle (default: this machine's)")
    add("--abrupt", action="store_true", help="end without goodbyes: the broker sends the last wills")
    add("--exit-on-stdin-eof", action="store_true", help="end when standard input ends")
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="say nothing but trouble")
    loudness.add_argument("--json", action="store_true", help="one JSON object a line")


def run_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> RunOptions:
    """What the arguments and the environment say. Ends the process with a sentence when they contradict."""
    token = options.token or token_from_environment(parser)
    if not token:
        parser.error("A token is needed: --token, or HUB_TOKEN, or HUB_TOKEN_FILE in the environment.")
    types = [MODELS[name] for name in dict.fromkeys(options.device_type or MODELS)]
    longest = max((plan.device_id for plan in plan_fleet(types, options.count, options.prefix)), key=len)
    if not re.fullmatch(DEVICE_ID_PATTERN, longest):
        parser.error(
            f"--prefix {options.prefix!r} gives device ids like {longest!r}; an id has at most 64 letters, "
            "digits, - and _, and begins with a letter or a digit."
        )
    fleet = FleetPlan(
        seed=options.seed,
        interval_s=options.interval,
        backfill_s=options.backfill,
        utc_offset_s=local_utc_offset_s() if options.utc_offset is None else round(options.utc_offset * 3600),
    )
    return RunOptions(
        hub=options.hub,
        token=token,
        types=types,
        count=options.count,
        prefix=options.prefix,
        fleet=fleet,
        duration_s=options.duration,
        abrupt=options.abrupt,
        until_stdin_ends=options.exit_on_stdin_eof,
    )


def token_from_environment(parser: argparse.ArgumentParser) -> str:
    """HUB_TOKEN, or what stands in the file that HUB_TOKEN_FILE names; empty when neither is set."""
    path = os.environ.get("HUB_TOKEN_FILE")
    if "HUB_TOKEN" in os.environ or not path:
        return os.environ.get("HUB_TOKEN", "").strip()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"HUB_TOKEN_FILE names {path}, which cannot be read ({error}).")


def local_utc_offset_s() -> int:
    """This machine's offset from UTC now, in seconds."""
    offset = datetime.now().astimezone().utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def show_list(as_json: bool) -> int:
    if as_json:
        _print_json([_as_json(each) for each in MODELS.values()])
        return EXIT_OK
    table = Table("model", "every", "metrics", "what it is", box=None, pad_edge=False)
    for each in MODELS.values():
        metrics = ", ".join(metric.key for metric in each.metrics)
        table.add_row(each.slug, f"{each.expected_interval_s:g} s", metrics, each.description)
    Console().print(table)
    return EXIT_OK


def describe(model_type: ModelType, as_json: bool) -> int:
    now_ms = wall_clock_ms()
    weather = Weather(1, local_utc_offset_s())
    sample = Track(model_type, f"{DEFAULT_PREFIX}{model_type.slug}-001", 1, now_ms - 60_000, weather).live(
        now_ms
    )
    if as_json:
        _print_json({**_as_json(model_type), "sample": msgspec.json.decode(sample)})
        return EXIT_OK
    console = Console()
    console.print(
        f"[bold]{model_type.name}[/] ({model_type.slug}): {model_type.description}", highlight=False
    )
    table = Table(
        "metric", "name", "kind", "unit", "minimum", "maximum", "decimals", box=None, pad_edge=False
    )
    for metric in model_type.metrics:
        bounds = ["" if each is None else f"{each:g}" for each in (metric.minimum, metric.maximum)]
        decimals = "" if metric.precision is None else str(metric.precision)
        table.add_row(metric.key, metric.name, metric.kind, metric.unit, *bounds, decimals)
    console.print(table)
    console.print(f"A reading, every {model_type.expected_interval_s:g} s:", highlight=False)
    console.print(sample.decode(), soft_wrap=True)
    return EXIT_OK


def _as_json(each: ModelType) -> dict[str, object]:
    return {
        "slug": each.slug,
        "name": each.name,
        "description": each.description,
        "expected_interval_s": each.expected_interval_s,
        "metrics": [metric.as_json() for metric in each.metrics],
    }


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _display(options: argparse.Namespace) -> Display:
    if options.quiet:
        return QuietDisplay()
    return JsonDisplay() if options.json else RichDisplay(Console())


def _model_name(text: str) -> str:
    if text in MODELS:
        return text
    near = difflib.get_close_matches(text, MODELS, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    raise argparse.ArgumentTypeError(f"there is no model {text!r}, only {', '.join(MODELS)}.{guess}")


def _positive_int(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number of at least 1.")


def _duration_s(text: str) -> float:
    """Seconds: `90`, `0.5`, `90s`, `15m`, `24h` or `7d`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give it like 90, 0.5, 90s, 15m, 24h or 7d.")
    return float(match[1]) * _SECONDS[match[2] or "s"]
