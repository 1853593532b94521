"""`python -m simulators run` as a process, with a hub that keeps the contract and a real Mosquitto."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.parts.mosquitto import Mosquitto, free_port, start_mosquitto
from tests.simulators.ear import Ear, eventually
from tests.simulators.fake_hub import TOKEN, FakeHub, start_fake_hub

ROOT = Path(__file__).parents[2]
IDS = {f"sim-{slug}-001" for slug in ("thermostat", "power-meter", "water-pump")}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with start_mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def hub(broker: Mosquitto) -> Iterator[FakeHub]:
    with start_fake_hub(broker.port) as hub:
        yield hub


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    ear = Ear(broker)
    yield ear
    ear.close()


def command(hub: FakeHub | str, *arguments: str) -> list[str]:
    url = hub if isinstance(hub, str) else hub.url
    run = [sys.executable, "-m", "simulators", "run", "--hub", url]
    return [*run, "--count", "1", "--interval", "0.1", *arguments]


def environment(token: str = TOKEN) -> dict[str, str]:
    return {**os.environ, "HUB_TOKEN": token}


@contextmanager
def started(arguments: list[str], **more: Any) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(arguments: list[str], token: str = TOKEN) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments, cwd=ROOT, env=environment(token), capture_output=True, text=True, timeout=60, check=False
    )


async def all_are_heard(ear: Ear) -> None:
    await eventually(lambda: all(len(ear.readings(each)) >= 2 for each in IDS))


async def all_said(ear: Ear, last_word: str) -> None:
    await eventually(lambda: all(ear.status[each][-1:] == [last_word] for each in IDS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_with_goodbyes_within_three_seconds(
    hub: FakeHub, ear: Ear, number: signal.Signals
) -> None:
    with started(command(hub, "--json")) as process:
        await all_are_heard(ear)
        began = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)
        assert time.monotonic() - began < 3
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in output.splitlines()]
    assert {"stage", "end"} <= {each["event"] for each in events}
    assert events[-1]["event"] == "end"
    assert events[-1]["acknowledged"] == events[-1]["published"] > 0
    await all_said(ear, "offline")


async def test_killed_devices_are_reported_by_their_last_wills(hub: FakeHub, ear: Ear) -> None:
    with started(command(hub, "--quiet")) as process:
        await all_are_heard(ear)
        await all_said(ear, "online")
        process.kill()
        process.communicate()
    await all_said(ear, "offline")


async def test_it_ends_when_its_parent_is_killed(hub: FakeHub, ear: Ear, tmp_path: Path) -> None:
    """As the demo starts it: a session of its own, and a pipe on standard input."""
    child = command(hub, "--quiet", "--exit-on-stdin-eof")
    parent_code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with started([sys.executable, "-c", parent_code, *child]) as parent:
        assert parent.stdout is not None
        child_pid = int(parent.stdout.readline())
        await all_are_heard(ear)
        parent.kill()
        await all_said(ear, "offline")
        await eventually(lambda: not is_running(child_pid), within_s=5)


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that waits for its parent to look at it has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_it_ends_after_its_duration_and_fills_the_past(hub: FakeHub, ear: Ear) -> None:
    result = finished(command(hub, "--duration", "2", "--backfill", "1h", "--json"))
    assert result.returncode == 0, result.stderr
    end = json.loads(result.stdout.splitlines()[-1])
    per_device = 50 + 600  # a minute apart, then ten minutes a second apart
    assert (end["filled"], end["filled_readings"]) == (3, pytest.approx(3 * per_device, abs=12))
    assert end["measured"] > 10
    await all_said(ear, "offline")
    assert all(json.loads(ear.telemetry[each][0])[0]["ts"] for each in IDS)


def test_the_plain_output_is_readable(hub: FakeHub) -> None:
    result = finished(command(hub, "--duration", "1.5"))
    assert result.returncode == 0, result.stderr
    assert "Registering" in result.stdout
    assert "3 of 3 connected" in result.stdout
    assert "3 devices measured" in result.stdout.splitlines()[-1]


def test_no_hub_ends_with_a_sentence() -> None:
    result = finished(command(f"http://127.0.0.1:{free_port()}", "--quiet"))
    assert result.returncode == 1
    assert "No hub answers at" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_token_ends_with_a_sentence(hub: FakeHub) -> None:
    result = finished(command(hub, "--quiet"), token="wrong")
    assert result.returncode == 1
    assert "does not accept the token" in result.stderr


def test_no_broker_ends_with_trouble_and_says_so(hub: FakeHub, broker: Mosquitto) -> None:
    broker.stop()
    result = finished(command(hub, "--quiet", "--duration", "1.5"))
    assert result.returncode == 1
    assert f"No MQTT broker answers at 127.0.0.1:{broker.port}" in result.stderr


async def test_an_abrupt_end_leaves_it_to_the_last_wills(hub: FakeHub, ear: Ear, broker: Mosquitto) -> None:
    result = finished(command(hub, "--quiet", "--abrupt", "--duration", "1"))
    assert result.returncode == 0
    await all_said(ear, "offline")
    assert "Client sim-thermostat-001 closed its connection" in broker.log_file.read_text()


async def test_it_can_be_ended_while_it_registers(hub: FakeHub) -> None:
    hub.lock.acquire()
    try:
        with started(command(hub, "--quiet")) as process:
            await eventually(lambda: is_catching(process.pid))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=5)
            assert process.returncode == 0
    finally:
        hub.lock.release()


def is_catching(pid: int) -> bool:
    """Whether the process handles SIGTERM itself, which it does from its start on."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
