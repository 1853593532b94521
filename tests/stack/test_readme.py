"""The README's first device, command by command as it stands there, beside a demo that runs."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.parts.hub_process import ROOT, HubEnvironment, wait_until
from tests.parts.mosquitto import free_port
from tests.parts.websocket import live_client

PASSWORD = "let me in"


def commands() -> list[str]:
    """The three commands, which stand apart in the block below their heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## A first device in three commands")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1].strip().split("\n\n")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[HubEnvironment]:
    environment = HubEnvironment(
        tmp_path,
        HUB_HTTP_PORT=str(free_port()),
        HUB_MQTT_PORT=str(free_port()),
        HUB_DEMO_PASSWORD=PASSWORD,
    )
    with environment.start("demo") as process:
        process.wait_for_output("Sign in once with this link:")
        assert f"password {PASSWORD}" in process.output
        yield environment


def here(environment: HubEnvironment, command: str) -> str:
    """A command with the ports of this test in place of the usual ones."""
    http_port, mqtt_port = (environment.variables[f"HUB_{name}_PORT"] for name in ("HTTP", "MQTT"))
    return command.replace("localhost:8000", f"localhost:{http_port}").replace("-p 1883", f"-p {mqtt_port}")


def shell(script: str) -> str:
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_three_commands_of_the_readme_bring_a_reading_to_the_page(demo: HubEnvironment) -> None:
    sign_in, register, publish = (here(demo, command) for command in commands())
    sign_in = sign_in.replace("THE PASSWORD", PASSWORD)
    url = f"http://localhost:{demo.variables['HUB_HTTP_PORT']}"
    token = shell(f'{sign_in}\nprintf %s "$TOKEN"')
    headers = {"Authorization": f"Token {token}"}
    # The demo's simulators register the type; whoever reads has seen their devices by then.
    wait_until(
        lambda: httpx.get(f"{url}/api/v1/device-types/thermostat/", headers=headers).status_code == 200,
        30,
        what="the type thermostat",
    )
    with live_client(url, token) as client:
        client.subscribe("thermostat")
        registered = json.loads(shell(f"{sign_in}\n{register}"))
        shell(publish.replace("THE_DEVICE_TOKEN", registered["token"]))
        frame = client.hear(lambda m: m["type"] == "readings" and "my-first" in {row[0] for row in m["rows"]})
        at = frame["metrics"].index("temperature")
        assert [row[4][at] for row in frame["rows"] if row[0] == "my-first"] == [21.5]
    shell(registered["mosquitto_pub"])
    ledger = f"{url}/api/v1/devices/my-first/ledger/"
    wait_until(lambda: httpx.get(ledger, headers=headers).json()["stored"] == 2, 5, what="a second reading")
