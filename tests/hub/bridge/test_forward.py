"""Frames go to their groups in order; a layer that is down or frozen costs the oldest ones only."""

import asyncio
from typing import Any

import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from redis.exceptions import RedisError

from hub.bridge import forward
from hub.bridge.forward import Forwarder
from hub.protocol.frames import Frame
from tests.hub.bridge.parts import until


def frame(n: int, slug: str = "thermostat") -> Frame:
    return Frame(slug, "main-1", n, n, "readings", 1, '"metrics":[],"rows":[]')


class Layer(BaseChannelLayer):
    """A layer that can be down, or hold a send until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        await self.thawed.wait()
        self.sent.append((group, message))

    @property
    def numbers(self) -> list[int]:
        return [message["first"] for _, message in self.sent]


@pytest.fixture
async def layer():
    return Layer()


async def running(forwarder: Forwarder) -> "asyncio.Task[None]":
    return asyncio.create_task(forwarder.run())


async def test_frames_reach_the_group_of_their_type_in_order():
    layer = InMemoryChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("type.thermostat", channel)
    forwarder = Forwarder(layer)
    task = await running(forwarder)
    forwarder.frames([frame(1), frame(2, "pump"), frame(3)])
    assert [(await layer.receive(channel))["first"] for _ in range(2)] == [1, 3]
    task.cancel()


async def test_reports_go_to_the_hub_group(layer: Layer):
    forwarder = Forwarder(layer)
    task = await running(forwarder)
    forwarder.report({"type": "hub.bridge", "slot": "main"})
    await until(lambda: layer.sent == [("hub", {"type": "hub.bridge", "slot": "main"})])
    task.cancel()


async def test_a_full_queue_drops_its_oldest_and_counts_them(layer: Layer):
    forwarder = Forwarder(layer, capacity=3)
    forwarder.frames(frame(n) for n in range(1, 8))
    assert forwarder.num_dropped == 4
    task = await running(forwarder)
    await until(lambda: layer.numbers == [5, 6, 7])
    task.cancel()


@pytest.mark.parametrize("error", [ConnectionRefusedError(), RedisError("gone"), TimeoutError()])
async def test_a_layer_that_is_down_does_not_stop_it(layer: Layer, error: Exception):
    forwarder = Forwarder(layer)
    layer.error = error
    task = await running(forwarder)
    forwarder.frames([frame(1), frame(2)])
    await until(lambda: forwarder.num_dropped == 2)
    layer.error = None
    forwarder.frames([frame(3)])
    await until(lambda: layer.numbers == [3])
    task.cancel()


async def test_a_frozen_layer_holds_a_send_only_for_its_time_out(
    layer: Layer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(forward, "FORWARD_TIMEOUT_S", 0.01)
    forwarder = Forwarder(layer)
    layer.thawed.clear()
    task = await running(forwarder)
    forwarder.frames([frame(1), frame(2)])
    await until(lambda: forwarder.num_dropped == 2)
    layer.thawed.set()
    forwarder.frames([frame(3)])
    await until(lambda: layer.numbers == [3])
    task.cancel()
