"""Who gets in, as whom, and for how long: the repairs of amqtt around CONNECT and the session."""

import time

import pytest

from hub.limits.broker import ACCOUNTS_POLL_S, EMBEDDED_KEEPALIVE_FACTOR
from hub.limits.registry import KICK_WITHIN_S
from hub.limits.telemetry import MAX_PACKET_BYTES
from tests.hub.broker.parts import BRIDGE_PASSWORD, RawClient, connect_packet, packet, publish_packet, string
from tests.parts.hub_process import wait_until

TELEMETRY, STATUS = "devices/thermostat/d1/telemetry", "devices/thermostat/d1/status"
REFUSED = 135  # paho's name in MQTT 5 words for the 5 of MQTT 3.1.1: not authorized


@pytest.fixture
def bridge(broker, client):
    """A bridge that has subscribed as bridges do."""
    one = client(broker.port, "hub.bridge", clean=False).connect()
    one.subscribe("devices/+/+/telemetry", "devices/+/+/status")
    return one


@pytest.mark.parametrize(
    ("username", "password"),
    [("d1", "token-d2"), ("nobody", "token-d1"), ("hub.bridge", "token-d1"), ("hub.bridge", ""), ("+", "x")],
)
def test_a_wrong_token_is_refused_and_leaves_no_session(username, password, broker, client):
    stranger = client(broker.port, username, password=password or " ").connect()
    assert stranger.code == REFUSED
    assert broker.broker.exchange.client_ids() == []


def test_a_stranger_with_the_client_id_of_the_bridge_cannot_disturb_it(broker, client, bridge):
    stranger = client(broker.port, "d1", password="wrong", client_id="hub.bridge").connect()
    assert stranger.code == REFUSED
    device = client(broker.port, "d1", client_id="hub.bridge", clean=True).connect()
    device.publish(TELEMETRY, "1")
    bridge.wait_for(1)
    assert not bridge.lost
    assert sorted(broker.broker.exchange.client_ids()) == ["d1", "hub.bridge"]


def test_a_stranger_cannot_empty_the_queue_of_an_absent_bridge(broker, client, bridge):
    bridge.stop()
    device = client(broker.port, "d1", client_id="hub.bridge", clean=True).connect()
    for number in range(20):
        device.publish(TELEMETRY, str(number))
    client(broker.port, "hub.bridge", password="wrong", client_id="hub.bridge").connect()
    again = client(broker.port, "hub.bridge", clean=False).connect()
    again.wait_for(20)
    assert again.session_present
    assert again.texts() == [str(number) for number in range(20)]


def test_a_second_connection_of_a_device_takes_over_its_own_session_only(broker, client, bridge):
    first = client(broker.port, "d1", client_id="one", will=(STATUS, "offline")).connect()
    second = client(broker.port, "d1", client_id="two").connect()
    wait_until(lambda: first.lost, what="the end of the first connection")
    assert [got.text for got in bridge.wait_for(1)] == ["offline"]
    second.publish(TELEMETRY, "1")
    bridge.wait_for(2)
    assert not second.lost
    assert not bridge.lost


def test_messages_reach_a_session_that_was_taken_over(broker, client):
    """amqtt marks the shared session as disconnected when the old connection has wound up."""
    command = "devices/thermostat/d1/commands/1"
    first = client(broker.port, "d1", clean=False).connect()
    first.subscribe("devices/+/d1/commands/+")
    second = client(broker.port, "d1", clean=False).connect()
    wait_until(lambda: first.lost, what="the end of the first connection")
    client(broker.port, "hub.bridge").connect().publish(command, "go")
    assert second.session_present
    assert second.wait_for(1)[0].text == "go"


@pytest.mark.parametrize("end", ["disable", "delete", "rotate"])
def test_who_may_no_longer_be_here_is_cut_off_in_time_with_its_last_will(end, broker, client, bridge, book):
    device = client(broker.port, "d1", clean=False, will=(STATUS, "offline")).connect()
    other = client(broker.port, "d2").connect()
    began = time.monotonic()
    if end == "rotate":
        book.put("d1", "another")
    else:
        getattr(book, end)("d1")
    wait_until(lambda: device.lost, KICK_WITHIN_S, what="the cut")
    assert time.monotonic() - began < KICK_WITHIN_S
    assert bridge.wait_for(1)[0][:2] == (STATUS, "offline")
    assert client(broker.port, "d1").connect().code == REFUSED
    assert not other.lost
    assert ("d1" in broker.broker.exchange.client_ids()) is (end != "delete")


def test_a_token_that_expires_ends_the_connection(broker, client, book):
    book.put("d1", "short-lived", expires_at=time.time() + ACCOUNTS_POLL_S)
    device = client(broker.port, "d1", password="short-lived").connect()
    wait_until(lambda: device.lost, KICK_WITHIN_S, what="the cut")


def test_a_frozen_device_goes_offline_after_one_and_a_half_keep_alives(broker, bridge):
    frozen = RawClient(broker.port)
    frozen.sign_in("d1", keepalive=1, will=(STATUS, "offline"))
    began = time.monotonic()
    bridge.wait_for(1)
    assert EMBEDDED_KEEPALIVE_FACTOR - 0.2 <= time.monotonic() - began < EMBEDDED_KEEPALIVE_FACTOR + 1
    assert frozen.is_cut_off()
    frozen.close()


def test_a_device_that_only_pings_stays(broker):
    device = RawClient(broker.port)
    device.sign_in("d1", keepalive=1)
    began = time.monotonic()
    while time.monotonic() - began < 2:
        device.send(b"\xc0\x00")
        assert device.receive(2) == b"\xd0\x00"
        time.sleep(0.2)
    device.close()


def test_a_payload_above_the_cap_ends_the_connection_and_is_not_kept(broker, bridge):
    device = RawClient(broker.port)
    device.sign_in("d1", will=(STATUS, "offline"))
    device.send(publish_packet(TELEMETRY, bytes(2 * 1024 * 1024))[: MAX_PACKET_BYTES // 2])
    assert device.is_cut_off()
    assert [got.topic for got in bridge.wait_for(1)] == [STATUS]
    device.close()


def test_a_payload_below_the_cap_passes(broker, client, bridge):
    client(broker.port, "d1").connect().publish(TELEMETRY, "x" * 200_000)
    assert len(bridge.wait_for(1)[0].text) == 200_000


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (connect_packet("d1", "token-d1", level=5), b"\x20\x03\x00\x84\x00"),
        (packet(0x10, string("MQIsdp") + b"\x03\x02\0\0" + string("d1")), b"\x20\x02\x00\x01"),
        (packet(0x10, string("MQTT")), b"\x20\x02\x00\x01"),
        (connect_packet("d1", "token-d1")[:-4] + b"....", b"\x20\x02\x00\x05"),
        (packet(0x10, string("MQTT") + b"\x04\x02\0\0" + string("anonymous")), b"\x20\x02\x00\x05"),
        (publish_packet(TELEMETRY, b"1"), b""),
        (b"GET / HTTP/1.1\r\n" + b"x" * 80, b""),
    ],
)
def test_what_is_no_sign_in_is_answered_and_cut_off(sent, answer, broker):
    stranger = RawClient(broker.port)
    stranger.send(sent)
    assert stranger.receive(100) == answer
    assert broker.broker.exchange.client_ids() == []
    stranger.close()


def test_who_says_nothing_is_cut_off(broker, monkeypatch):
    monkeypatch.setattr("hub.broker.embedded.EMBEDDED_CONNECT_WITHIN_S", 0.2)
    stranger = RawClient(broker.port)
    assert stranger.is_cut_off()
    stranger.close()


def test_a_device_that_leaves_in_order_has_no_last_words(broker, client, bridge):
    device = RawClient(broker.port)
    # All at once: amqtt took such a DISCONNECT for a failure, or never noticed the end.
    device.send(
        connect_packet("d1", "token-d1", will=(STATUS, "offline"))
        + publish_packet(TELEMETRY, b"1")
        + b"\xe0\x00"
        + publish_packet(TELEMETRY, b"after its goodbye")
    )
    assert device.receive(100) == b"\x20\x02\x00\x00" + b"\x40\x02\x00\x01"
    wait_until(lambda: broker.broker.exchange.client_ids() == ["hub.bridge"], what="the end of the session")
    client(broker.port, "d1").connect().publish(TELEMETRY, "2")
    assert [got.text for got in bridge.wait_for(2)] == ["1", "2"]
    device.close()


def test_the_bridge_password_is_not_the_only_thing_that_is_asked(broker, client):
    assert client(broker.port, "hub.other", password=BRIDGE_PASSWORD).connect().code == REFUSED
