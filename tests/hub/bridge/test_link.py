"""The link to the broker: what it does when the broker does what it should not."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from devices.mqtt import BrokerAddress
from hub.bridge import mqtt
from hub.bridge.inbox import Inbox
from hub.bridge.mqtt import Link
from hub.protocol.topics import BRIDGE_FILTERS, DROPPED_BY_BROKER
from tests.hub.bridge.broker import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, ScriptedBroker, publish_packet
from tests.hub.bridge.parts import until

TOPIC = b"devices/thermostat/t1/telemetry"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "RECONNECT_MIN_S", 0.01)
    monkeypatch.setattr(mqtt, "RECONNECT_MAX_S", 0.02)
    monkeypatch.setattr(mqtt, "_MISC_EVERY_S", 0.01)
    monkeypatch.setattr(mqtt, "_CONNACK_WITHIN_S", 0.1)


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    made = ScriptedBroker()
    yield made
    await made.stop()


Start = Callable[..., "asyncio.Future[tuple[Link, Inbox]]"]


@pytest.fixture
async def start(broker: ScriptedBroker) -> AsyncIterator[Start]:
    """Start a link to the broker: `link, inbox = await start(inbox)`."""
    tasks = []

    async def begin(inbox: Inbox | None = None) -> tuple[Link, Inbox]:
        inbox = Inbox() if inbox is None else inbox
        address = BrokerAddress("127.0.0.1", await broker.start(), False, "hub.bridge", "secret")
        link = Link(address, "hub.bridge", BRIDGE_FILTERS, inbox)
        tasks.append(asyncio.create_task(link.run()))
        return link, inbox

    yield begin  # type: ignore[misc]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_it_signs_in_with_a_session_that_lasts_and_subscribes(start: Start, broker: ScriptedBroker):
    link, _ = await start()
    await until(lambda: link.receiving)
    connect = broker.bodies(CONNECT)[0]
    assert connect[:7] == b"\x00\x04MQTT\x04", "MQTT 3.1.1"
    assert connect[7] & 0b10 == 0, "not a clean session"
    assert connect.endswith(b"\x00\x0ahub.bridge\x00\x0ahub.bridge\x00\x06secret")
    subscribe = broker.bodies(SUBSCRIBE)[0]
    assert all(name.encode() + b"\x01" in subscribe for name in BRIDGE_FILTERS)


async def test_messages_arrive_in_order_and_are_acknowledged_when_they_are_told_to(
    start: Start, broker: ScriptedBroker
):
    link, inbox = await start()
    await until(lambda: link.receiving)
    for mid in (1, 2, 3):
        broker.publish(TOPIC, b"%d" % mid, mid)
    broker.publish(TOPIC, b"qos 0")
    await until(lambda: len(inbox) == 4)
    messages = inbox.take(9)
    assert [(m.mid, m.qos, m.payload) for m in messages] == [
        (1, 1, b"1"),
        (2, 1, b"2"),
        (3, 1, b"3"),
        (0, 0, b"qos 0"),
    ]
    assert broker.acknowledged == []
    link.acknowledge(messages)
    await until(lambda: broker.acknowledged == [1, 2, 3])


async def test_what_the_broker_delivers_once_more_is_marked(start: Start, broker: ScriptedBroker):
    link, inbox = await start()
    await until(lambda: link.receiving)
    broker.publish(TOPIC, b"1", 1, dup=True)
    broker.publish(TOPIC, b"2", 2)
    await until(lambda: len(inbox) == 2)
    assert [m.dup for m in inbox.take(2)] == [True, False]


async def test_a_broker_that_does_not_tell_what_it_drops_is_good_enough(broker: ScriptedBroker):
    address = BrokerAddress("127.0.0.1", await broker.start(), False, None, None)
    link = Link(address, "hub.bridge", BRIDGE_FILTERS, Inbox(), extras=[DROPPED_BY_BROKER])
    task = asyncio.create_task(link.run())
    await until(lambda: link.receiving)
    subscribe = broker.bodies(SUBSCRIBE)[0]
    assert subscribe.endswith(DROPPED_BY_BROKER.encode() + b"\x00"), "QoS 0: nothing waits in the session"
    assert broker.num_connections == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_topic_that_is_not_utf_8_is_a_message_without_a_topic(start: Start, broker: ScriptedBroker):
    link, inbox = await start()
    await until(lambda: link.receiving)
    broker.publish(b"devices/\xff\xfe/t1/telemetry", b"{}", 1)
    broker.publish(TOPIC, b"{}", 2)
    await until(lambda: len(inbox) == 2)
    assert [m.topic for m in inbox.take(2)] == [None, TOPIC.decode()]


async def test_a_broker_that_never_answers_the_sign_in_is_asked_again(start: Start, broker: ScriptedBroker):
    broker.connack = None
    link, _ = await start()
    await until(lambda: broker.num_connections >= 2)
    assert not link.receiving
    broker.connack = 0
    await until(lambda: link.receiving)


async def test_a_refused_account_is_tried_again_and_says_so(
    start: Start, broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
):
    broker.connack = 5
    link, _ = await start()
    await until(lambda: broker.num_connections >= 2)
    assert not link.receiving
    assert link.receiving_since_ms is None
    assert "refuses the account of the bridge" in caplog.text
    broker.connack = 0
    await until(lambda: link.receiving)


async def test_a_refused_subscription_is_tried_again_and_says_so(
    start: Start, broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
):
    broker.suback = 0x80
    link, _ = await start()
    await until(lambda: broker.num_connections >= 2)
    assert not link.receiving
    assert "refuses subscriptions" in caplog.text
    broker.suback = 1
    await until(lambda: link.receiving)


async def test_messages_of_a_lost_connection_are_dropped_and_never_acknowledged(
    start: Start, broker: ScriptedBroker
):
    link, inbox = await start()
    await until(lambda: link.receiving)
    for mid in (1, 2, 3):
        broker.publish(TOPIC, b"%d" % mid, mid)
    await until(lambda: len(inbox) == 3)
    in_hand = inbox.take(1)
    broker.cut()
    await until(lambda: broker.num_connections == 2 and link.receiving)
    assert len(inbox) == 0
    link.acknowledge(in_hand)
    broker.publish(TOPIC, b"again", 1)
    await until(lambda: len(inbox) == 1)
    assert broker.acknowledged == []
    link.acknowledge(inbox.take(1))
    await until(lambda: broker.acknowledged == [1])


async def test_a_full_inbox_pauses_reading_and_nothing_is_stuck_afterwards(
    start: Start, broker: ScriptedBroker
):
    link, inbox = await start(Inbox(capacity=10, resume_at=5))
    await until(lambda: link.receiving)
    # All in one piece, so that the rest of it waits in the link's own buffer.
    broker.send(b"".join(publish_packet(TOPIC, b"%d" % mid, mid) for mid in range(1, 101)))
    got: list[int] = []

    def turn() -> bool:
        assert len(inbox) <= 10
        assert link.receiving_since_ms is None or not inbox.is_full
        taken = inbox.take(5)
        link.acknowledge(taken)
        got.extend(m.mid for m in taken)
        link.resume_if_drained()
        return len(got) == 100

    await until(lambda: inbox.is_full)
    await until(turn)
    assert got == list(range(1, 101))
    await until(lambda: broker.acknowledged == got)
    assert broker.num_connections == 1


async def test_while_paused_the_connection_is_kept_alive_by_publishing(
    start: Start, broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
):
    link, inbox = await start(Inbox(capacity=2, resume_at=1))
    await until(lambda: link.receiving)
    monkeypatch.setattr(mqtt, "MQTT_KEEPALIVE_S", 0.05)
    broker.send(b"".join(publish_packet(TOPIC, b"x", mid) for mid in (1, 2, 3)))
    await until(lambda: inbox.is_full)
    await until(lambda: len(broker.bodies(PUBLISH)) >= 2)
    assert broker.bodies(PUBLISH)[0] == b"\x00\x09hub/alive"
    assert broker.num_connections == 1
    inbox.take(2)
    link.resume_if_drained()
    await until(lambda: len(inbox) == 1)


async def test_silence_counts_again_from_when_reading_went_on(start: Start, broker: ScriptedBroker):
    link, inbox = await start(Inbox(capacity=1, resume_at=0))
    await until(lambda: link.receiving)
    before_ms = link.receiving_since_ms
    assert before_ms == link.changed_ms
    broker.publish(TOPIC, b"x", 1)
    await until(lambda: inbox.is_full and link.receiving_since_ms is None)
    await asyncio.sleep(0.003)
    inbox.take(1)
    link.resume_if_drained()
    assert (link.receiving_since_ms or 0) > before_ms
    assert link.changed_ms == before_ms


async def test_a_connection_lost_while_paused_comes_back(start: Start, broker: ScriptedBroker):
    link, inbox = await start(Inbox(capacity=2, resume_at=1))
    await until(lambda: link.receiving)
    broker.send(b"".join(publish_packet(TOPIC, b"x", mid) for mid in (1, 2, 3)))
    await until(lambda: inbox.is_full)
    broker.cut()
    inbox.take(2)
    link.resume_if_drained()
    await until(lambda: broker.num_connections == 2 and link.receiving)
    assert len(inbox) == 0


async def test_a_connection_lost_while_sending_comes_back(start: Start, broker: ScriptedBroker):
    link, _ = await start()
    await until(lambda: link.receiving)
    broker.cut()
    while broker.num_connections == 1:
        link.publish("devices/thermostat/t1/rejections", b"x" * 10_000)
        await asyncio.sleep(0.001)
    await until(lambda: link.receiving)


async def test_ending_says_goodbye(start: Start, broker: ScriptedBroker):
    address = BrokerAddress("127.0.0.1", await broker.start(), False, None, None)
    link = Link(address, "hub.bridge", BRIDGE_FILTERS, Inbox())
    task = asyncio.create_task(link.run())
    await until(lambda: link.receiving)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: broker.bodies(DISCONNECT) == [b""])
    assert not link.receiving


async def test_nobody_listening_is_waited_for(broker: ScriptedBroker):
    port = await broker.start()
    await broker.stop()
    link = Link(BrokerAddress("127.0.0.1", port, False, None, None), "hub.bridge", BRIDGE_FILTERS, Inbox())
    task = asyncio.create_task(link.run())
    await asyncio.sleep(0.05)
    assert not task.done()
    assert not link.receiving
    link.publish("x", b"y")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
