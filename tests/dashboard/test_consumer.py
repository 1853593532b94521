"""The live socket as clients meet it: the real application, layer in memory, store in a file."""

import asyncio
import functools
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import Client
from knox.models import get_token_model

from dashboard import consumer, live, relay
from dashboard.live import Live
from dashboard.ring import Ring
from devices import registry
from devices.models import BridgeReport, DeviceState
from hub.history.store import Batch, Reading
from tests.dashboard.making import SOURCE, numbered, readings_frame, row
from tests.dashboard.talking import Talk, signed_in, until

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(user: Any) -> str:
    client = Client()
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


@pytest.fixture(autouse=True)
def _ends(live_side: Live) -> None:
    """Every test here has a live side, and ends it."""


async def test_who_is_signed_in_is_welcomed_at_once(session: str) -> None:
    talk = Talk(session)
    assert await talk.open()
    welcome = await talk.hear("welcome")
    assert abs(welcome.pop("server_time_ms") - time.time() * 1_000) < 5_000
    assert welcome == {"type": "welcome", "version": 1, "max_unacked": 8, "resume_horizon_s": 900}
    await talk.leave()


async def test_a_foreign_origin_is_refused_before_the_socket_opens(session: str) -> None:
    assert not await Talk(session, origin="http://evil.example").open()
    assert not await Talk(session, origin="http://localhost:8001").open()
    assert not await Talk(session, origin="http://localhost:port").open()
    assert not await Talk(session, origin="null").open()


async def test_without_an_origin_a_session_does_not_count(
    session: str, monkeypatch: pytest.MonkeyPatch, live_side: Live
) -> None:
    monkeypatch.setattr(consumer, "AUTHENTICATE_WITHIN_S", 0.05)
    live_side._tick_s = 0.02
    talk = Talk(session, origin=None)
    assert await talk.open()
    assert await talk.closed() == 4001


async def test_without_an_origin_a_token_counts(user: Any, thermostat: Any) -> None:
    _, token = await sync_to_async(get_token_model().objects.create)(user=user)
    talk = Talk(origin=None)
    assert await talk.open()
    await talk.say({"type": "authenticate", "token": token})
    await talk.hear("welcome")
    assert (await talk.subscribe())["device_type"]["slug"] == "thermostat"
    await talk.leave()


async def test_a_wrong_token_is_refused(user: Any) -> None:
    talk = Talk(origin=None)
    assert await talk.open()
    await talk.say({"type": "authenticate", "token": "0" * 64})
    assert await talk.closed() == 4001


async def test_who_is_not_signed_in_gets_nothing(thermostat: Any) -> None:
    talk = Talk()
    assert await talk.open()
    await talk.say({"type": "subscribe", "stream": "s1", "device_type": "thermostat"})
    assert (await talk.hear("error"))["code"] == "not_signed_in"
    assert await talk.closed() == 4001


async def test_a_session_that_has_ended_is_told_so_at_once(session: str) -> None:
    await sync_to_async(Session.objects.all().delete)()
    talk = Talk(session)
    assert await talk.open()
    assert await talk.closed() == 4001


async def test_an_unknown_address_is_refused_without_a_traceback() -> None:
    assert not await Talk(path="/ws/other/").open()


async def test_what_is_not_understood_gets_an_error_and_the_socket_stays(session: str) -> None:
    talk = await signed_in(session)
    for text, code in {
        "{": "not_json",
        "[" * 10_000: "not_json",
        "[]": "bad_message",
        '{"type":"dance"}': "unknown_type",
        '{"type":"subscribe"}': "bad_message",
        '{"type":"subscribe","stream":"s1"}': "bad_message",
        '{"type":"subscribe","stream":"","summary":true}': "bad_stream",
        '{"type":"subscribe","stream":"s1","device_type":"x","max_hz":0}': "bad_message",
        '{"type":"ack","stream":"s1","frame":1}': "not_subscribed",
        '{"type":"unsubscribe","stream":"s1"}': "not_subscribed",
        '{"type":"authenticate","token":"x"}': "bad_message",
    }.items():
        await talk.say_text(text)
        error = await talk.hear("error")
        assert (error["code"], error["detail"][-1]) == (code, "."), (text, error)
    await talk.say_bytes(b"\x00")
    assert (await talk.hear("error"))["code"] == "bad_message"
    await talk.say({"type": "ping", "at_ms": 7})
    assert (await talk.hear("pong"))["at_ms"] == 7
    await talk.leave()


async def test_an_unknown_device_type_gets_an_error_with_the_stream(session: str) -> None:
    talk = await signed_in(session)
    await talk.say({"type": "subscribe", "stream": "s1", "device_type": "toaster"})
    error = await talk.hear("error")
    assert (error["code"], error["stream"]) == ("unknown_device_type", "s1")
    await talk.say({"type": "ack", "stream": "s1", "frame": 1})
    assert (await talk.hear("error"))["code"] == "not_subscribed"
    await talk.leave()


async def test_a_socket_has_a_bounded_number_of_streams(
    session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "MAX_STREAMS_PER_SOCKET", 1)
    talk = await signed_in(session)
    for stream in ("s1", "s1", "s2"):
        await talk.say({"type": "subscribe", "stream": stream, "summary": True})
    assert (await talk.hear("error"))["code"] == "too_many_streams"
    await talk.leave()


async def test_a_subscription_begins_with_how_things_are(session: str, thermostat: Any, history: Any) -> None:
    create = sync_to_async(registry.create_device)
    device, _ = await create("t-1", "thermostat", name="Hall", labels={"floor": "1"})
    key = device.pk
    await sync_to_async(DeviceState.objects.create)(
        device_id=key, state="online", since_ms=900, because="reading"
    )
    await asyncio.to_thread(history.append, Batch(1_000, [Reading(key, 1_000, 1_005, 3, {"t": 21.5})]))
    talk = await signed_in(session)
    snapshot = await talk.subscribe()
    assert (snapshot["part"], snapshot["parts"]) == (1, 1)
    assert snapshot["device_type"]["metrics"][0]["key"] == "t"
    assert snapshot["devices"] == [
        {
            "id": "t-1",
            "name": "Hall",
            "labels": {"floor": "1"},
            "enabled": True,
            "latitude": None,
            "longitude": None,
            "state": "online",
            "since_ms": 900,
            "because": "reading",
            "received_ms": 1_005,
            "seq": 3,
            "values": {"t": [21.5, 1_000]},
        }
    ]
    await talk.leave()


async def test_readings_follow_the_snapshot(session: str, thermostat: Any, publish: Any) -> None:
    talk = await signed_in(session)
    snapshot = await talk.subscribe()
    assert snapshot["devices"] == []
    await publish(readings_frame(1, [row("t-1", 1_000, t=21.5)]))
    readings = await talk.hear("readings")
    assert (readings["frame"], readings["rows"]) == (1, [["t-1", 1_000, 1_005, None, [21.5]]])
    assert readings["cursor"].endswith(f"~{SOURCE}:1")
    await talk.leave()


async def test_a_narrow_subscription_gets_only_its_devices(
    session: str, thermostat: Any, publish: Any
) -> None:
    talk = await signed_in(session)
    await talk.subscribe(devices=["t-2"])
    await publish(readings_frame(1, [row("t-1", 1, t=1.0), row("t-2", 2, t=2.0)]))
    assert (await talk.hear("readings"))["rows"] == [["t-2", 2, 7, None, [2.0]]]
    await talk.leave()


async def test_unacknowledged_frames_stop_the_stream_and_an_acknowledgement_joins_the_rest(
    session: str, thermostat: Any, publish: Any
) -> None:
    talk = await signed_in(session)
    await talk.subscribe()
    frames = numbered(12)
    for frame in frames[:8]:
        await publish(frame)
        await talk.hear("readings")
    for frame in frames[8:]:
        await publish(frame)
    await talk.say({"type": "ping", "at_ms": 1})
    await talk.hear("pong")
    await talk.say({"type": "ack", "stream": "s1", "frame": 8, "drawn_ms": 1.5})
    rows: list[Any] = []
    while len(rows) < 4:
        rows += (await talk.hear("readings"))["rows"]
    assert [each[1] for each in rows] == [9, 10, 11, 12]
    await talk.say({"type": "ack", "stream": "s1", "frame": 99})
    assert (await talk.hear("error"))["code"] == "bad_ack"
    await talk.leave()


async def test_what_left_the_ring_before_it_could_be_sent_is_read_from_the_log_and_merged(
    session: str, thermostat: Any, publish: Any, live_side: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "Ring", functools.partial(Ring, max_entries=2))
    talk = await signed_in(session)
    await talk.subscribe()
    frames = numbered(15)
    for frame in frames[:8]:
        await publish(frame)
        await talk.hear("readings")
    for frame in frames[8:]:
        await publish(frame)
    await until(await live_side.relays.get("thermostat"), 15)
    await talk.say({"type": "ack", "stream": "s1", "frame": 8})
    merged = await talk.hear("readings")
    assert ([each[1] for each in merged["rows"]], merged["merged"]) == ([13], 4)
    assert merged["cursor"].endswith(":13")
    assert [each[1] for each in (await talk.hear("readings"))["rows"]] == [14, 15]
    await talk.leave()


async def test_a_replay_longer_than_the_window_waits_for_acknowledgements_and_is_not_merged(
    session: str, thermostat: Any, log: Any
) -> None:
    # Columns that alternate cannot be joined.
    frames = [readings_frame(n, [row("t-1", n, **{f"m{n % 2}": 1.0})]) for n in range(1, 31)]
    for frame in frames:
        await log(frame)
    talk = await signed_in(session)
    await talk.say(
        {
            "type": "subscribe",
            "stream": "s1",
            "device_type": "thermostat",
            "resume": f"thermostat~1~{SOURCE}:0",
        }
    )
    numbers: list[int] = []
    while len(numbers) < 30:
        message = await talk.hear("readings")
        numbers += [each[1] for each in message["rows"]]
        await talk.say({"type": "ack", "stream": "s1", "frame": message["frame"]})
    assert numbers == list(range(1, 31))
    assert (await talk.hear("resumed"))["recovered"] == 30
    await talk.leave()


async def test_a_socket_that_does_not_acknowledge_is_closed(
    session: str, thermostat: Any, publish: Any, monkeypatch: pytest.MonkeyPatch, live_side: Live
) -> None:
    monkeypatch.setattr(consumer, "UNACKED_CLOSE_AFTER_S", 0.05)
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    await talk.subscribe()
    await publish(numbered(1)[0])
    assert await talk.closed() == 4008


async def test_too_many_messages_close_the_socket(session: str) -> None:
    talk = await signed_in(session)
    for _ in range(200):
        await talk.say({"type": "ping", "at_ms": 1})
    assert await talk.closed() == 4029


async def test_unsubscribing_ends_the_stream(session: str, thermostat: Any, publish: Any) -> None:
    talk = await signed_in(session)
    await talk.subscribe()
    await talk.say({"type": "unsubscribe", "stream": "s1"})
    await talk.say({"type": "ping", "at_ms": 1})
    await talk.hear("pong")
    await publish(numbered(1)[0])
    await talk.say({"type": "ping", "at_ms": 2})
    assert (await talk.hear("pong", "readings"))["type"] == "pong"
    await talk.leave()


async def test_a_cursor_brings_back_exactly_what_was_missed(
    session: str, thermostat: Any, publish: Any
) -> None:
    talk = await signed_in(session)
    await talk.subscribe()
    frames = numbered(6)
    await publish(frames[0])
    cursor = (await talk.hear("readings"))["cursor"]
    await talk.leave()
    for frame in frames[1:4]:
        await publish(frame)
    talk = await signed_in(session)
    await talk.say({"type": "subscribe", "stream": "s2", "device_type": "thermostat", "resume": cursor})
    replayed = await talk.hear("readings")
    assert [each[1] for each in replayed["rows"]] == [2, 3, 4]
    assert await talk.hear("resumed") == {"type": "resumed", "stream": "s2", "recovered": 3, "lost": 0}
    for frame in frames[4:]:
        await publish(frame)
    rows: list[Any] = []
    while len(rows) < 2:
        rows += (await talk.hear("readings"))["rows"]
    assert [each[1] for each in rows] == [5, 6]
    await talk.leave()


async def test_an_unreadable_cursor_is_answered_with_a_reset_and_a_snapshot(
    session: str, thermostat: Any
) -> None:
    talk = await signed_in(session)
    for cursor in ("nonsense", "other-type~1~main-1:1"):
        await talk.say({"type": "subscribe", "stream": "s1", "device_type": "thermostat", "resume": cursor})
        assert await talk.hear("reset") == {
            "type": "reset",
            "stream": "s1",
            "reason": "bad_cursor",
            "missed": None,
        }
        await talk.hear("snapshot")
    await talk.leave()


async def test_a_cursor_beyond_the_log_is_answered_with_how_much_was_missed(
    session: str, thermostat: Any, log: Any
) -> None:
    await log(numbered(9)[8])
    talk = await signed_in(session)
    await talk.say(
        {
            "type": "subscribe",
            "stream": "s1",
            "device_type": "thermostat",
            "resume": f"thermostat~1~{SOURCE}:2",
        }
    )
    reset = await talk.hear("reset")
    assert (reset["reason"], reset["missed"]) == ("too_long_ago", 7)
    await talk.hear("snapshot")
    await talk.leave()


async def test_a_heartbeat_tells_of_bridges_and_cursors(
    session: str, thermostat: Any, live_side: Live, layer: Any
) -> None:
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    now_ms = int(time.time() * 1_000)
    report = {
        "slot": "main",
        "source": SOURCE,
        "at_ms": now_ms,
        "receiving": True,
        "receiving_since_ms": 5,
        "storing": False,
        "storing_since_ms": 6,
        "lag_ms": 7,
    }
    await talk.hear("heartbeat")
    await layer.group_send(
        "hub", {"type": "hub.bridge", **report, "types": {"thermostat": {"readings_per_s": 2.5, "online": 3}}}
    )
    await talk.say({"type": "subscribe", "stream": "all", "summary": True})
    while (await talk.hear("summary"))["types"] != [
        {"slug": "thermostat", "online": 3, "silent": 0, "offline": 0, "never": 0, "readings_per_s": 2.5}
    ]:
        pass
    await talk.say({"type": "subscribe", "stream": "s1", "device_type": "thermostat"})
    await talk.hear("snapshot")
    for socket in live_side.sockets:
        socket._heartbeat_due_s = 0.0  # type: ignore[attr-defined]
    beat = await talk.hear("heartbeat")
    report["heard_ms"] = report.pop("at_ms")
    assert (beat["layer"], beat["bridges"], list(beat["cursors"])) == ("up", [report], ["s1"])
    await talk.leave()


async def test_a_summary_counts_types_without_a_bridge_from_the_database(
    session: str, thermostat: Any, live_side: Live
) -> None:
    await sync_to_async(registry.create_device)("t-1", "thermostat")
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    await talk.say({"type": "subscribe", "stream": "all", "summary": True})
    while not (types := (await talk.hear("summary"))["types"]):
        pass
    assert types == [
        {"slug": "thermostat", "online": 0, "silent": 0, "offline": 0, "never": 1, "readings_per_s": 0.0}
    ]
    await talk.leave()


async def test_signing_out_closes_the_socket_at_the_next_look_at_the_rights(
    session: str, live_side: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "RIGHTS_CHECK_EVERY_S", 0.0)
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    await sync_to_async(Session.objects.all().delete)()
    assert await talk.closed() == 4001


async def test_a_type_that_is_gone_ends_its_stream_and_then_the_socket(
    session: str, thermostat: Any, live_side: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    await talk.subscribe()
    await sync_to_async(thermostat.delete)()
    for socket in live_side.sockets:
        socket.rights_due_s = 0.0
    error = await talk.hear("error")
    assert (error["code"], error["stream"]) == ("not_allowed", "s1")
    assert await talk.closed() == 4003


async def test_the_shutdown_tells_browsers_to_come_back(session: str, thermostat: Any) -> None:
    talk = await signed_in(session)
    await talk.subscribe()
    await live.shutdown()
    assert await talk.closed() == 4012
    await talk.leave()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if "relay" in name or "live" in name or "listen" in name]


async def test_a_bridge_that_is_silent_is_not_receiving(session: str, live_side: Live) -> None:
    await sync_to_async(BridgeReport.objects.create)(
        slot="main",
        source=SOURCE,
        at_ms=1_000,
        receiving=True,
        receiving_since_ms=500,
        storing=True,
        storing_since_ms=500,
    )
    live_side._tick_s = 0.02
    talk = await signed_in(session)
    while not (bridges := (await talk.hear("heartbeat"))["bridges"]):
        for socket in live_side.sockets:
            socket._heartbeat_due_s = 0.0  # type: ignore[attr-defined]
    assert (bridges[0]["receiving"], bridges[0]["receiving_since_ms"]) == (False, 1_000)
    await talk.leave()
