import asyncio
import time

import pytest
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import ConnectionError as RedisGone

from devices.models import BridgeReport
from hub import health
from hub.history.opening import get_history
from hub.history.store import StoreUnavailableError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(settings, tmp_path):
    settings.HUB_HISTORY_URL = f"sqlite:///{tmp_path / 'history.sqlite3'}"
    get_history.cache_clear()
    health._check_migrations.cache_clear()
    yield
    get_history().close()
    get_history.cache_clear()
    health._check_migrations.cache_clear()


def bridge_reported(ms_ago: int) -> None:
    BridgeReport.objects.create(
        slot="main",
        source="main-1",
        at_ms=time.time_ns() // 1_000_000 - ms_ago,
        receiving=True,
        receiving_since_ms=1,
        storing=True,
        storing_since_ms=1,
    )


async def ready(async_client):
    answer = await async_client.get("/readyz")
    document = answer.json()
    assert set(document) == {"ready", "reasons"}
    assert document["ready"] is (answer.status_code == 200)
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, document["reasons"]


def test_a_process_that_answers_is_alive(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


async def test_a_process_with_all_its_parts_is_ready(async_client):
    await asyncio.to_thread(bridge_reported, 0)
    assert await ready(async_client) == (200, [])


@pytest.mark.parametrize("ms_ago", [None, 60_000])
async def test_a_silent_bridge_is_told_but_the_pages_stay_up(async_client, ms_ago):
    if ms_ago is not None:
        await asyncio.to_thread(bridge_reported, ms_ago)
    status, reasons = await ready(async_client)
    assert status == 200
    assert reasons == ["No bridge has reported for 6 s: the hub is not receiving."]


async def test_a_history_that_does_not_answer_is_told(async_client, monkeypatch):
    await asyncio.to_thread(bridge_reported, 0)

    def locked(*_):
        raise StoreUnavailableError("/secret/path is locked")

    monkeypatch.setattr(type(get_history()), "heads", locked)
    assert await ready(async_client) == (503, [health.HISTORY_DOWN])


async def test_migrations_that_are_missing_are_told(async_client, monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one"])
    assert await ready(async_client) == (503, [health.NOT_MIGRATED])
    monkeypatch.undo()
    assert (await ready(async_client))[0] == 200


async def test_a_registry_that_does_not_answer_is_told(async_client, monkeypatch):
    def gone() -> None:
        raise DatabaseError("password=secret")

    monkeypatch.setattr(health, "_check_registry", gone)
    assert await ready(async_client) == (503, [health.REGISTRY_DOWN])


async def test_a_channel_layer_that_is_gone_is_told(async_client, monkeypatch):
    await asyncio.to_thread(bridge_reported, 0)

    class Gone:
        async def group_send(self, *_):
            raise RedisGone("redis://:secret@host")

    monkeypatch.setattr(health, "get_channel_layer", Gone)
    assert await ready(async_client) == (503, [health.LAYER_DOWN])
    monkeypatch.setattr(health, "get_channel_layer", lambda: None)
    assert await ready(async_client) == (503, [health.LAYER_DOWN])


async def test_a_channel_layer_that_hangs_is_told_in_time(async_client, monkeypatch):
    await asyncio.to_thread(bridge_reported, 0)

    class Frozen:
        async def group_send(self, *_):
            await asyncio.Event().wait()

    monkeypatch.setattr(health, "get_channel_layer", Frozen)
    assert await ready(async_client) == (503, [health.LAYER_DOWN])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_only_asked_never_changed(client, path):
    assert client.post(path).status_code == 405
