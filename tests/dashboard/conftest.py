"""A real store in a file of its own, the in-memory layer, and sockets on the real application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import channel_layers, get_channel_layer

from dashboard import live
from devices import registry
from hub.accounts.models import User
from hub.history.opening import get_history
from hub.history.store import Batch, HistoryStore
from hub.protocol.frames import Frame, frame_event, group_name

ORIGIN = "http://localhost:8000"


@pytest.fixture
def history(settings: Any, tmp_path: Any) -> Iterator[HistoryStore]:
    settings.HUB_HISTORY_URL = f"sqlite:///{tmp_path / 'history.sqlite3'}"
    get_history.cache_clear()
    store = get_history()
    yield store
    store.close()
    get_history.cache_clear()


@pytest.fixture
def layer(settings: Any) -> Iterator[Any]:
    """An in-memory layer of one's own; settings decide, whatever the environment says."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"expiry": 10**9, "group_expiry": 10**9},
        }
    }
    channel_layers.backends = {}
    yield get_channel_layer()
    channel_layers.backends = {}


Append = Callable[[Frame], Awaitable[None]]


@pytest.fixture
def log(history: HistoryStore) -> Append:
    """Put a frame into the frame log, and tell nobody."""

    async def append(frame: Frame) -> None:
        await asyncio.to_thread(history.append, Batch(frame.at_ms, frames=[frame]))

    return append


@pytest.fixture
def publish(layer: Any, log: Append) -> Append:
    """What the bridge does with a frame: log it, then tell the group."""

    async def both(frame: Frame) -> None:
        await log(frame)
        await layer.group_send(group_name(frame.device_type), frame_event(frame))

    return both


@pytest_asyncio.fixture
async def live_side(layer: Any, history: HistoryStore) -> AsyncIterator[live.Live]:
    """The live side of this test's loop, ended after it."""
    del layer, history
    yield live.get_live()
    await live.shutdown()


@pytest.fixture
def user(transactional_db: None) -> User:
    del transactional_db
    return User.objects.create_user("ada", password="right horse")


@pytest.fixture
def thermostat(transactional_db: None) -> Any:
    del transactional_db
    return registry.create_device_type("thermostat", name="Thermostat", metrics=[{"key": "t"}])
