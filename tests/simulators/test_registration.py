"""Registration over a real HTTP connection, against a server that keeps the REST contract."""

from collections.abc import Iterator

import pytest

from hub.limits.simulators import SIMULATOR_HTTP_ATTEMPTS, SIMULATOR_REGISTER_CONCURRENCY
from simulators.hub_api import HubApi, HubError
from simulators.models import MODELS
from simulators.registration import Registered, plan_fleet, register_fleet
from tests.parts.mosquitto import free_port
from tests.simulators.fake_hub import TOKEN, FakeHub, start_fake_hub

TYPES = list(MODELS.values())


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with start_fake_hub(mqtt_port=2883) as hub:
        yield hub


async def register(
    hub: FakeHub, count: int = 2, token: str = TOKEN, url: str | None = None
) -> list[Registered]:
    async with HubApi(url or hub.url, token, retry_pause_s=0.01) as api:
        return await register_fleet(api, plan_fleet(TYPES, count, "t-"), 1, None, lambda _: None)


async def test_types_and_devices_are_registered_as_a_user_would(hub: FakeHub) -> None:
    registered = await register(hub)
    assert set(hub.types) == set(MODELS)
    assert hub.types["thermostat"]["expected_interval_s"] == 5
    assert hub.types["thermostat"]["metrics"][0] == {
        "key": "temperature",
        "name": "Temperature",
        "kind": "number",
        "unit": "°C",
        "minimum": -20,
        "maximum": 60,
        "precision": 2,
    }
    assert len(registered) == len(hub.devices) == 6
    device = hub.devices["t-thermostat-001"]
    assert device["name"] == "Living room"
    assert device["labels"]["simulated"] == "true"
    account = registered[0].account
    assert account.token == hub.tokens["t-thermostat-001"]
    assert (account.mqtt.host, account.mqtt.port, account.mqtt.username) == (
        "127.0.0.1",
        2883,
        "t-thermostat-001",
    )
    assert account.mqtt.topics.telemetry == "devices/thermostat/t-thermostat-001/telemetry"


async def test_a_second_run_takes_its_devices_over_with_new_tokens(hub: FakeHub) -> None:
    first = await register(hub)
    before = len(hub.requests)
    hub.latest["t-thermostat-001"] = {"temperature": {"value": 21.5, "ts": "2026-11-22T07:20:00.123+00:00"}}
    second = await register(hub)
    assert len(hub.devices) == 6
    assert all(a.account.token != b.account.token for a, b in zip(first, second, strict=True))
    assert ("POST", "device-types/") not in hub.requests[before:]
    assert second[0].latest.newest_ms() == 1_795_332_000_123
    assert second[0].latest.plain() == {"temperature": 21.5}
    assert second[1].latest.newest_ms() is None


async def test_requests_run_side_by_side_but_bounded(hub: FakeHub) -> None:
    await register(hub, count=20)
    assert 1 <= hub.most_busy <= SIMULATOR_REGISTER_CONCURRENCY


async def test_the_first_devices_are_handed_over_while_others_are_still_registered(hub: FakeHub) -> None:
    await register(hub, count=20)
    progress: list[int] = []

    def taken(_: Registered) -> None:
        progress.append(sum(path.endswith("/token/") for _, path in hub.requests))

    async with HubApi(hub.url, TOKEN) as api:
        await register_fleet(api, plan_fleet(TYPES, 20, "t-"), 1, None, taken)
    assert len(progress) == 60
    assert progress[0] <= 2 * SIMULATOR_REGISTER_CONCURRENCY < 60


async def test_a_real_device_of_the_same_name_keeps_its_token(hub: FakeHub) -> None:
    await register(hub)
    hub.devices["t-thermostat-001"]["labels"] = {}
    token = hub.tokens["t-thermostat-001"]
    with pytest.raises(HubError, match=r"may be a real one.*--prefix"):
        await register(hub)
    assert hub.tokens["t-thermostat-001"] == token


async def test_a_device_of_another_type_is_named(hub: FakeHub) -> None:
    await register(hub)
    hub.devices["t-thermostat-001"]["device_type"] = "boiler"
    with pytest.raises(HubError, match="'t-thermostat-001' is there already, with the type 'boiler'"):
        await register(hub)


async def test_a_type_that_lacks_a_metric_is_named(hub: FakeHub) -> None:
    hub.types["thermostat"] = {"slug": "thermostat", "metrics": [{"key": "temperature", "kind": "number"}]}
    with pytest.raises(HubError, match="'thermostat' on the hub has no metric 'setpoint'"):
        await register(hub)
    assert not hub.devices


async def test_a_type_with_a_metric_of_another_kind_is_named(hub: FakeHub) -> None:
    hub.types["thermostat"] = {"slug": "thermostat", "metrics": [{"key": "temperature", "kind": "text"}]}
    with pytest.raises(HubError, match="has 'temperature' as text, where the simulator sends a number"):
        await register(hub)


async def test_a_type_with_more_metrics_is_good_enough(hub: FakeHub) -> None:
    await register(hub)
    hub.types["thermostat"]["metrics"].append({"key": "battery", "kind": "number"})
    assert len(await register(hub)) == 6


async def test_no_hub_is_said_with_its_address(hub: FakeHub) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(HubError, match=f"No hub answers at {url}.*--hub"):
        await register(hub, url=url)


async def test_an_address_that_is_none_is_said(hub: FakeHub) -> None:
    with pytest.raises(HubError, match=r"No hub answers at nonsense://x.*--hub"):
        await register(hub, url="nonsense://x")


async def test_a_wrong_token_is_said(hub: FakeHub) -> None:
    with pytest.raises(HubError, match="does not accept the token"):
        await register(hub, token="wrong")


async def test_a_busy_hub_is_asked_again(hub: FakeHub) -> None:
    hub.failures = [503, 429]
    assert len(await register(hub)) == 6


async def test_a_hub_that_stays_broken_is_given_up(hub: FakeHub) -> None:
    hub.failures = [503] * SIMULATOR_HTTP_ATTEMPTS
    with pytest.raises(HubError, match=r"failed with 503 at GET /api/v1/device-types/thermostat/"):
        await register(hub)


async def test_a_failing_hub_is_not_asked_again(hub: FakeHub) -> None:
    hub.failures = [500]
    with pytest.raises(HubError, match="failed with 500"):
        await register(hub)
    assert len(hub.requests) == 1


async def test_forbidden_is_said(hub: FakeHub) -> None:
    hub.failures = [403]
    with pytest.raises(HubError, match="the right to register devices"):
        await register(hub)


async def test_another_web_server_is_recognised(hub: FakeHub) -> None:
    hub.types["thermostat"] = b"<html>welcome</html>"  # type: ignore[assignment]
    with pytest.raises(HubError, match="really the address of the hub"):
        await register(hub)
