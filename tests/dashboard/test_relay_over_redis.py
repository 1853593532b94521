"""A relay over a real Redis that dies and comes back."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.exceptions import RedisError

from dashboard import listening
from dashboard import relay as relay_module
from dashboard.relay import Relay
from hub.history.store import HistoryStore
from hub.protocol.frames import frame_event, group_name
from tests.dashboard.making import TYPE, numbered
from tests.dashboard.talking import until
from tests.parts.redis import start_redis


async def test_with_redis_killed_frames_come_from_the_log_and_then_over_redis_again(
    history: HistoryStore, log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "RELAY_HEADS_EVERY_WITHOUT_LAYER_S", 0.1)
    monkeypatch.setattr(listening, "LAYER_RETRY_S", 0.1)
    layer_up = True
    frames = numbered(100)
    with start_redis(tmp_path) as redis:
        layer = RedisPubSubChannelLayer(hosts=[{"address": redis.url, "socket_timeout": 1}])
        relay = Relay(TYPE, history, layer, lambda: layer_up)
        relay.start()
        await relay.ready()
        await log(frames[0])
        while not relay.ring.end:
            await layer.group_send(group_name(TYPE), frame_event(frames[0]))
            await asyncio.sleep(0.02)
        redis.kill()
        layer_up = False
        await log(frames[1])
        await until(relay, 2)
        redis.start()
        layer_up = True
        # The log is not looked into for 5 s now, so what arrives comes over Redis.
        number = 2
        async with asyncio.timeout(8):
            while relay.ring.end < 4:
                await log(frames[number])
                # The first one may meet the connection that Redis left behind.
                with contextlib.suppress(RedisError):
                    await layer.group_send(group_name(TYPE), frame_event(frames[number]))
                number += 1
                await asyncio.sleep(0.1)
        assert [entry.last for entry in relay.ring.entries] == list(range(1, relay.ring.end + 1))
        await relay.stop()
        await layer.flush()
