"""`manage.py demo` and `runhub`: one command up, one signal down, no orphan, data kept."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.parts.hub_process import ROOT, HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import free_port, start_mosquitto


@pytest.fixture
def environment(tmp_path: Path) -> HubEnvironment:
    return HubEnvironment(
        tmp_path,
        HUB_HTTP_PORT=str(free_port()),
        HUB_MQTT_PORT=str(free_port()),
        HUB_DEMO_PASSWORD="let me in",
    )


def url(environment: HubEnvironment) -> str:
    return f"http://localhost:{environment.variables['HUB_HTTP_PORT']}"


@contextmanager
def demo(environment: HubEnvironment) -> Iterator[HubProcess]:
    with environment.start("demo") as process:
        process.wait_for_output("Sign in once with this link:")
        yield process


def ask(file: Path, query: str) -> int:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return int(connection.execute(query).fetchone()[0] or 0)
    finally:
        connection.close()


def num_stored(environment: HubEnvironment) -> int:
    return ask(environment.history_file, "SELECT sum(stored) FROM ledger")


def children_of(pid: int) -> set[int]:
    """Every process below one, however deep."""
    found = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in found.splitlines()]
    below = {pid}
    while more := {child for child, parent in pairs if parent in below} - below:
        below |= more
    return below - {pid}


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_the_demo_fills_a_day_keeps_it_and_ends_without_an_orphan(environment: HubEnvironment) -> None:
    with demo(environment) as process:
        wait_until(lambda: num_stored(environment) > 30 * 1400, 60, what="24 hours of 30 devices")
        assert ask(environment.registry_file, "SELECT count(*) FROM devices_device") == 30
        assert ask(environment.history_file, "SELECT sum(rejected) FROM ledger") == 0
        children = children_of(process.pid)
        assert len(children) >= 2
        assert process.stop(signal.SIGINT) == 0, process.output
    assert not [pid for pid in children if is_running(pid)]
    assert "Traceback" not in process.output
    before = num_stored(environment)
    with demo(environment):
        wait_until(lambda: num_stored(environment) > before, 30, what="more readings on top of the old ones")
        assert ask(environment.registry_file, "SELECT count(*) FROM devices_device") == 30


def test_a_demo_that_is_killed_leaves_no_orphan(environment: HubEnvironment) -> None:
    with demo(environment) as process:
        wait_until(lambda: len(children_of(process.pid)) >= 2, what="broker and simulators")
        children = children_of(process.pid)
        process.kill()
        wait_until(lambda: not [pid for pid in children if is_running(pid)], what="the end of the children")


def test_the_printed_link_signs_in_once_and_another_can_be_had(environment: HubEnvironment) -> None:
    with demo(environment) as process:
        match = re.search(r"http://\S+/accounts/link/\S+", process.output)
        assert match is not None
        # Whoever asks from another terminal does not know the port that was set in the first.
        del environment.variables["HUB_HTTP_PORT"]
        another = environment.manage("demo", "--link").strip()
        for link in (match.group(), another):
            assert "sessionid" in httpx.get(link).cookies
            assert "sessionid" not in httpx.get(link).cookies


def test_reset_removes_the_data_but_not_under_a_running_demo(environment: HubEnvironment) -> None:
    with demo(environment):
        with pytest.raises(AssertionError, match="Stop it, or set HUB_DATA_DIR"):
            environment.manage("demo", "--reset")
        wait_until(lambda: num_stored(environment) > 0, 30, what="a first reading")
    environment.manage("demo", "--reset")
    assert not environment.history_file.exists()
    assert not environment.registry_file.exists()


@pytest.mark.parametrize("variable", ["HUB_HTTP_PORT", "HUB_MQTT_PORT"])
def test_a_taken_port_is_told_with_the_variable_to_set(
    environment: HubEnvironment, tmp_path: Path, variable: str
) -> None:
    with start_mosquitto(tmp_path) as somebody:
        environment.variables[variable] = str(somebody.port)
        done = subprocess.run(
            [sys.executable, "manage.py", "runhub"],
            cwd=ROOT,
            env=environment.variables,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert f"Set {variable} to a free port, for example {variable}={somebody.port + 1}." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_hub_keeps_off_the_data_directory(environment: HubEnvironment) -> None:
    with environment.start("runhub") as first:
        first.wait_for_output("Telemetry Hub:")
        with pytest.raises(AssertionError, match=r"uses .* already"):
            environment.manage("runhub")


def test_a_broker_that_dies_ends_the_whole_with_its_reason(environment: HubEnvironment) -> None:
    with environment.start("runhub") as hub:
        hub.wait_for_output("Telemetry Hub:")
        for pid in children_of(hub.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: hub.process.poll() is not None, what="the end of the hub")
        assert hub.process.returncode == 1
        assert "the MQTT broker ended by itself" in hub.output


def test_mosquitto_as_a_child_carries_the_demo_too(environment: HubEnvironment) -> None:
    environment.variables["HUB_BROKER"] = "mosquitto"
    with demo(environment) as process:
        wait_until(lambda: num_stored(environment) > 30, 60, what="readings through Mosquitto")
        children = children_of(process.pid)
        assert process.stop(signal.SIGTERM) == 0, process.output
    assert not [pid for pid in children if is_running(pid)]
