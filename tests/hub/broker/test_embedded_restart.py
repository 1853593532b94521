"""What an orderly restart of the embedded broker brings back."""

from tests.parts.hub_process import wait_until

TELEMETRY, STATUS = "devices/thermostat/d1/telemetry", "devices/thermostat/d1/status"


def test_an_orderly_restart_loses_nothing(broker, client):
    bridge = client(broker.port, "hub.bridge", clean=False, manual_ack=True).connect()
    bridge.subscribe("devices/+/+/telemetry")
    device = client(broker.port, "d1", clean=False, will=(STATUS, "offline")).connect()
    device.subscribe("devices/+/d1/commands/+")
    device.publish(STATUS, "online", retain=True)
    for number in range(20):
        device.publish(TELEMETRY, f"in flight {number}")
    mids = [got.mid for got in bridge.wait_for(20)]
    bridge.vanish()
    for number in range(20):
        device.publish(TELEMETRY, f"queued {number}")

    broker.restart()
    assert not broker.state_file.exists()

    again = client(broker.port, "hub.bridge", clean=False, manual_ack=True).connect()
    expected = [f"{how} {number}" for how in ("in flight", "queued") for number in range(20)]
    assert [got.text for got in again.wait_for(40)] == expected
    assert [got.mid for got in again.got[:20]] == mids
    assert all(got.dup for got in again.got[:20])
    assert again.session_present
    # Its subscription is there without asking, and so are the retained message and the device's session.
    device = client(broker.port, "d1", clean=False).connect()
    assert device.session_present
    device.publish(TELEMETRY, "afterwards")
    again.wait_for(41)
    again.publish("devices/thermostat/d1/commands/1", "go")
    assert device.wait_for(1)[0].text == "go"
    again.subscribe("devices/+/+/status")
    assert again.wait_for(42)[-1][:2] == (STATUS, "online"), (
        "the restart is not the device's fault: no last will"
    )
    assert len({got.mid for got in again.got if got.mid}) == 42


def test_a_clean_session_does_not_survive(broker, client):
    client(broker.port, "d1", clean=True).connect().subscribe("devices/+/d1/commands/+")
    broker.restart()
    assert broker.broker.exchange.client_ids() == []


def test_the_session_of_a_device_that_is_gone_is_forgotten_after_the_restart(broker, client, book):
    client(broker.port, "d1", clean=False).connect().stop()
    broker.stop()
    book.delete("d1")
    broker.start()
    wait_until(lambda: broker.broker.exchange.client_ids() == [], what="the session of d1 to be forgotten")


def test_a_damaged_state_file_does_not_stop_the_broker(broker, client, caplog):
    broker.stop()
    broker.state_file.write_bytes(b"\x00 nonsense")
    broker.start()
    assert "set aside" in caplog.text
    assert client(broker.port, "d1").connect().code == 0
