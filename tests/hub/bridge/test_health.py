"""What a bridge answers to whoever watches its process."""

from collections.abc import Iterator

import httpx
import pytest

from hub.bridge.health import HealthServer


class Bridge:
    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.role = "active"

    def not_ready(self) -> list[str]:
        return self.reasons


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
def url(bridge: Bridge) -> Iterator[str]:
    server = HealthServer(0, bridge.not_ready, lambda: bridge.role, host="127.0.0.1")
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_a_bridge_that_works_is_ready(url: str) -> None:
    assert httpx.get(f"{url}/healthz").status_code == 200
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "role": "active", "reasons": []},
    )


def test_a_standby_is_ready_and_says_that_it_is_one(url: str, bridge: Bridge) -> None:
    bridge.role = "standby"
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["role"]) == (200, "standby")


def test_a_bridge_that_does_not_work_says_why_and_stays_alive(url: str, bridge: Bridge) -> None:
    bridge.reasons = ["Not connected to the MQTT broker: nothing is received."]
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, bridge.reasons)
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_other_addresses_are_not_there(url: str) -> None:
    assert httpx.get(f"{url}/secrets").status_code == 404
