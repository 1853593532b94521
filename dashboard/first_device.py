"""What somebody with an empty hub pastes into a terminal to see a first device."""

import json
import shlex
from typing import Final, NamedTuple

from devices.mqtt import device_coordinates

_TYPE: Final = {
    "slug": "thermostat",
    "name": "Thermostats",
    "expected_interval_s": 10,
    "metrics": [{"key": "temperature", "kind": "number", "unit": "°C", "precision": 1}],
}
_DEVICE: Final = {"id": "living-room", "device_type": "thermostat", "name": "Living room"}
_READING: Final = {"temperature": 21.5}


class Step(NamedTuple):
    """One command and what it does."""

    title: str
    command: str


def first_device(public_url: str, username: str) -> list[Step]:
    """From signing in to a first reading, with the addresses of this hub."""
    api = f"{public_url.rstrip('/')}/api/v1"
    return [
        Step("Sign in; the answer holds an API token", _login(api, username)),
        Step("Say what this kind of device measures", _post(f"{api}/device-types/", _TYPE)),
        Step(
            "Register a device; the answer holds its own token, shown once", _post(f"{api}/devices/", _DEVICE)
        ),
        Step("Send a reading as that device", _publish()),
    ]


def _login(api: str, username: str) -> str:
    body = json.dumps({"username": username, "password": "your password"})
    return f"curl {api}/auth/login/ \\\n  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"


def _post(address: str, body: object) -> str:
    text = json.dumps(body, ensure_ascii=False)
    return (
        f"curl {address} \\\n  -H 'Authorization: Token YOUR_API_TOKEN' \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(text)}"
    )


def _publish() -> str:
    mqtt = device_coordinates(_DEVICE["device_type"], _DEVICE["id"])
    tls = " --tls-use-os-certs" if mqtt["tls"] else ""
    return (
        f"mosquitto_pub -h {shlex.quote(mqtt['host'])} -p {mqtt['port']}{tls} -q 1 \\\n"
        f"  -i {mqtt['username']} -u {mqtt['username']} -P DEVICE_TOKEN \\\n"
        f"  -t {mqtt['topics']['telemetry']} \\\n  -m {shlex.quote(json.dumps(_READING))}"
    )
