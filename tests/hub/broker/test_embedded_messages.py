"""What is delivered to whom: the repairs of amqtt around PUBLISH, PUBACK and retained messages."""

import time

import pytest

from hub.limits.broker import EMBEDDED_MESSAGE_OVERHEAD_BYTES
from tests.hub.broker.parts import RawClient, connect_packet, packet, publish_packet, string
from tests.parts.hub_process import wait_until

TELEMETRY, STATUS = "devices/thermostat/d1/telemetry", "devices/thermostat/d1/status"
COMMAND = "devices/thermostat/d1/commands/1"
DROPPED = "$SYS/broker/publish/messages/dropped"
BRIDGE = {"clean": False, "manual_ack": True}


@pytest.fixture
def device(broker, client):
    return client(broker.port, "d1").connect()


def bridge_of(broker, client, **options):
    one = client(broker.port, "hub.bridge", **{**BRIDGE, **options}).connect()
    one.subscribe("devices/+/+/telemetry", "devices/+/+/status")
    return one


def test_what_is_not_acknowledged_comes_again_in_order_and_marked(broker, client, device):
    bridge = bridge_of(broker, client)
    for number in range(50):
        device.publish(TELEMETRY, str(number))
    first = bridge.wait_for(50)
    for got in first[:10]:
        bridge.acknowledge(got)
    wait_until(lambda: len(broker.broker.exchange._kept["hub.bridge"].inflight_out) == 40, what="ten PUBACKs")
    bridge.vanish()
    device.publish(TELEMETRY, "while it was away")
    again = client(broker.port, "hub.bridge", **BRIDGE).connect().wait_for(41)
    assert [got.text for got in again] == [*(str(number) for number in range(10, 50)), "while it was away"]
    assert [got.mid for got in again[:40]] == [got.mid for got in first[10:]]
    assert [got.dup for got in again] == [True] * 40 + [False]


def test_a_message_acknowledged_after_six_seconds_is_not_lost(broker, client, device):
    """amqtt gives up after five."""
    bridge = bridge_of(broker, client)
    device.publish(TELEMETRY, "slow")
    bridge.wait_for(1)
    time.sleep(6)
    bridge.vanish()
    again = client(broker.port, "hub.bridge", **BRIDGE).connect()
    assert again.wait_for(1)[0].text == "slow"
    again.acknowledge(again.got[0])
    again.stop()
    third = client(broker.port, "hub.bridge", **BRIDGE).connect()
    device.publish(TELEMETRY, "next")
    assert third.wait_for(1)[0].text == "next"


def test_the_window_bounds_what_is_in_flight_and_nothing_is_skipped(broker, client, device, monkeypatch):
    monkeypatch.setattr("hub.broker.embedded_handler.BROKER_WINDOW_MESSAGES", 5)
    bridge = bridge_of(broker, client)
    for number in range(23):
        device.publish(TELEMETRY, str(number))
    bridge.wait_for(5)
    session = broker.broker.exchange._kept["hub.bridge"]
    assert (len(session.inflight_out), len(session.waiting)) == (5, 18)
    assert len(bridge.got) == 5
    for number in range(23):
        bridge.acknowledge(bridge.wait_for(number + 1)[number])
    assert bridge.texts() == [str(number) for number in range(23)]
    wait_until(lambda: not session.inflight_out, what="the last PUBACK")
    assert session.waiting_bytes == 0


def test_a_bridge_that_does_not_read_stops_neither_the_devices_nor_the_broker(broker, device, client):
    slow = RawClient(broker.port)
    slow.send(connect_packet("hub.bridge", "the bridge's own"))
    slow.receive(4)
    slow.send(packet(0x82, b"\0\1" + string("devices/+/+/telemetry") + b"\1"))
    slow.receive(5)
    for _ in range(100):
        device.publish(TELEMETRY, "x" * 100_000)
    handler = broker.broker._connected["hub.bridge"]
    assert handler._wire.backlog < 1024 * 1024
    # It reads at last, and finds everything.
    size = 100 * len(publish_packet(TELEMETRY, b"x" * 100_000))
    assert len(slow.receive(size)) == size
    slow.close()


def test_a_message_of_qos_0_waits_for_a_bridge_that_restarts(broker, client, device):
    bridge = bridge_of(broker, client)
    bridge.stop()
    device.publish(TELEMETRY, "unimportant", qos=0)
    device.publish(TELEMETRY, "important")
    again = client(broker.port, "hub.bridge", **BRIDGE).connect()
    assert [got.text for got in again.wait_for(2)] == ["unimportant", "important"]


def test_a_message_of_qos_2_arrives_once(broker, client, device):
    bridge = bridge_of(broker, client)
    device.publish(TELEMETRY, "once", qos=2)
    device.publish(TELEMETRY, "last")
    assert [got.text for got in bridge.wait_for(2)] == ["once", "last"]


def test_a_message_of_qos_2_that_is_sent_twice_before_its_release_arrives_once(broker, client):
    bridge = bridge_of(broker, client)
    device = RawClient(broker.port)
    device.sign_in("d1")
    device.send(2 * publish_packet(TELEMETRY, b"once", qos=2, mid=9) + 2 * b"\x62\x02\x00\x09")
    assert device.receive(16) == 2 * b"\x50\x02\x00\x09" + 2 * b"\x70\x02\x00\x09"
    device.send(publish_packet(TELEMETRY, b"last"))
    assert [got.text for got in bridge.wait_for(2)] == ["once", "last"]
    device.close()


def test_a_device_reads_and_writes_its_own_topics_only(broker, client, device):
    bridge = bridge_of(broker, client)
    refused = device.subscribe("devices/thermostat/d2/commands/+", "devices/#", "#", "$SYS/#", TELEMETRY)
    assert refused == [128] * 5
    assert device.subscribe("devices/thermostat/d1/commands/+", "devices/+/d1/rejections") == [1, 1]
    for topic in ("devices/thermostat/d2/telemetry", COMMAND, "hub/alive", "anything"):
        device.publish(topic, "not mine")
    device.publish(TELEMETRY, "mine")
    bridge.publish("devices/thermostat/d2/commands/1", "for another")
    bridge.publish(COMMAND, "for it")
    assert [got.text for got in device.wait_for(1)] == ["for it"]
    assert [got.text for got in bridge.wait_for(1)] == ["mine"]


def test_a_last_will_on_the_topic_of_another_is_not_published(broker, client):
    bridge = bridge_of(broker, client)
    client(broker.port, "d1", will=("devices/thermostat/d2/status", "offline")).connect().vanish()
    client(broker.port, "d1", will=(STATUS, "offline")).connect().vanish()
    assert [got.topic for got in bridge.wait_for(1)] == [STATUS]


def test_unsubscribing_ends_the_messages(broker, client, device):
    device.subscribe("devices/+/d1/commands/+", "devices/+/d1/rejections")
    bridge = client(broker.port, "hub.bridge").connect()
    device.unsubscribe("devices/+/d1/commands/+")
    wait_until(lambda: len(broker.broker.exchange._filters.of("d1")) == 1, what="the UNSUBSCRIBE")
    bridge.publish(COMMAND, "too late")
    bridge.publish("devices/thermostat/d1/rejections", "this one")
    assert device.wait_for(1)[0].text == "this one"


def test_retained_messages_go_to_who_subscribes_and_to_nobody_else(broker, client, device):
    other = client(broker.port, "d2").connect()
    other.subscribe("devices/+/d2/commands/+", "devices/+/d2/rejections")
    device.publish(STATUS, "online", retain=True)
    first = bridge_of(broker, client)
    assert first.wait_for(1)[0][:2] == (STATUS, "online")
    assert first.got[0].retain
    second = client(broker.port, "hub.bridge.second").connect()
    second.subscribe(STATUS)
    second.wait_for(1)
    assert len(first.got) == 1
    assert other.got == []


def test_an_empty_retained_message_clears_it(broker, client, device):
    device.publish(STATUS, "online", retain=True)
    device.publish(STATUS, b"", retain=True)
    device.publish(TELEMETRY, "kept", retain=True)
    assert [got.text for got in bridge_of(broker, client).wait_for(1)] == ["kept"]
    kept = len(TELEMETRY) + len("kept") + EMBEDDED_MESSAGE_OVERHEAD_BYTES
    dropped = len(DROPPED) + len("0") + EMBEDDED_MESSAGE_OVERHEAD_BYTES
    assert broker.broker.exchange._retained_bytes == kept + dropped


def test_retained_messages_are_bounded_together(broker, device, monkeypatch, caplog):
    monkeypatch.setattr("hub.broker.exchange.EMBEDDED_RETAINED_BYTES", 2_000)
    for number in range(10):
        device.publish(f"devices/type-{number}/d1/status", "online", retain=True)
    exchange = broker.broker.exchange
    assert exchange._retained_bytes <= 2_000
    assert exchange.dropped > 0
    assert "was not retained" in caplog.text


def test_the_queue_of_who_is_absent_is_bounded_and_what_it_drops_is_counted(
    broker, client, device, monkeypatch, caplog
):
    monkeypatch.setattr("hub.broker.embedded_session.EMBEDDED_BRIDGE_QUEUE_BYTES", 10_000)
    bridge = bridge_of(broker, client)
    bridge.stop()
    for number in range(100):
        device.publish(TELEMETRY, str(number))
    exchange = broker.broker.exchange
    kept = [message.data.decode() for message in exchange._kept["hub.bridge"].waiting]
    assert kept == [str(number) for number in range(len(kept))]
    assert exchange.dropped == 100 - len(kept) > 0
    assert len([record for record in caplog.records if "was dropped" in record.getMessage()]) == 1
    again = client(broker.port, "hub.bridge", clean=False).connect()
    again.subscribe(DROPPED)
    wait_until(lambda: (DROPPED, str(exchange.dropped)) in [got[:2] for got in again.got], what="the counter")


def test_a_subscription_too_many_is_refused(broker, device, monkeypatch):
    monkeypatch.setattr("hub.broker.exchange.EMBEDDED_SUBSCRIPTIONS", 2)
    filters = [f"devices/type-{number}/d1/commands/+" for number in range(3)]
    assert device.subscribe(*filters) == [1, 1, 128]
    assert device.subscribe(filters[0]) == [1]


@pytest.mark.parametrize(
    "sent",
    [
        publish_packet("devices/+/d1/telemetry", b"1"),
        publish_packet("$SYS/broker/uptime", b"1"),
        packet(0x30, b"\0"),
        packet(0x82, b"\0"),
        packet(0x40, b""),
        packet(0x90, b"\0\1\0"),
        packet(0xF0, b""),
        connect_packet("d1", "token-d1"),
    ],
)
def test_what_no_client_sends_ends_its_connection_only(sent, broker, client):
    bridge = bridge_of(broker, client)
    bad = RawClient(broker.port)
    bad.sign_in("d1", will=(STATUS, "offline"))
    bad.send(sent)
    assert bad.is_cut_off()
    assert bridge.wait_for(1)[0].text == "offline"
    assert not bridge.lost
    bad.close()
