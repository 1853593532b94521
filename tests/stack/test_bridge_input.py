"""One bridge beside a real Mosquitto and Redis: good input is stored and sent on, bad input is
refused with its documented reason, counted, and stops nothing else."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from hub.history.store import UNKNOWN_DEVICE
from hub.limits.bridge import REGISTRY_MAX_AGE_S
from hub.limits.telemetry import MAX_PAYLOAD_BYTES
from hub.protocol import frames, topics
from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import Mosquitto, start_mosquitto
from tests.parts.redis import Redis, start_redis
from tests.stack.parts import (
    MOSQUITTO,
    History,
    Publisher,
    Registrar,
    mosquitto_pub,
    open_history,
    start_publisher,
    start_registrar,
)

QUIET_TYPE = "registry.create_device_type('quiet', expected_interval_s=0.5, metrics=[{'key': 'level'}])"


class Stack(NamedTuple):
    broker: Mosquitto
    redis: Redis
    registrar: Registrar
    history: History
    publisher: Publisher
    bridge: HubProcess

    def device(self, uid: str) -> str:
        """A registered device's id."""
        self.registrar.device(uid)
        return uid

    def still_works(self) -> None:
        """A neighbour's reading that is sent now is stored, and nothing died."""
        before = len(self.history.rows("neighbour"))
        self.publisher.reading("neighbour", {"temperature": 20})
        wait_until(lambda: len(self.history.rows("neighbour")) == before + 1, what="the neighbour's reading")
        self.history.check_laws("neighbour")
        assert self.bridge.process.poll() is None

    def expect_refusal(self, uid: str, reason: str, metric: str = "") -> None:
        wait_until(
            lambda: self.history.rejections(uid) == [(reason, metric, 1)], what=f"the rejection {reason}"
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with start_mosquitto(folder, MOSQUITTO) as broker, start_redis(folder) as redis:
        environment = HubEnvironment(
            folder, HUB_BROKER="open", HUB_MQTT_URL=broker.url, HUB_REDIS_URL=redis.url
        )
        with (
            environment.start("bridge") as bridge,
            start_registrar(environment) as registrar,
            start_publisher(broker) as publisher,
            open_history(environment) as history,
        ):
            registrar.device("neighbour")
            registrar.run(QUIET_TYPE)
            registrar.device("quiet", "quiet")
            wait_until(lambda: receiving(history), what="the bridge's row")
            publisher.reading("quiet", {"level": 1}, "quiet")
            wait_until(lambda: history.states("quiet") == [("online", "reading")], what="quiet online")
            yield Stack(broker, redis, registrar, history, publisher, bridge)


def receiving(history: History) -> bool:
    return history.query("SELECT receiving, storing FROM devices_bridgereport WHERE slot = 'main'") == [
        (1, 1)
    ]


# --- what is good ------------------------------------------------------------------------------


def test_a_reading_goes_from_mosquitto_pub_to_store_ledger_and_frame_log(stack: Stack):
    stack.device("good")
    ts_ms = time.time_ns() // 1_000_000
    payload = json.dumps({"ts": ts_ms, "seq": 5, "values": {"temperature": 21.5, "mode": "eco"}})
    mosquitto_pub(stack.broker, topics.telemetry("thermostat", "good"), payload)
    wait_until(lambda: stack.history.states("good") != [], what="the reading")
    (row,) = stack.history.rows("good")
    assert (row.ts_ms, row.seq, row.values) == (ts_ms, 5, {"temperature": 21.5, "mode": "eco"})
    ledger = stack.history.ledger("good")
    assert (ledger.received, ledger.stored, ledger.rejected, ledger.last_seq) == (1, 1, 0, 5)
    assert stack.history.states("good") == [("online", "reading")]
    assert stack.history.rejections("good") == []
    logged = [frame for frame in stack.history.frames() if '"good"' in frame.body]
    assert [frame.kind for frame in logged] == ["devices", "states", "readings"]
    assert frames.decode_readings(logged[-1].body).rows == [
        ("good", ts_ms, row.received_ms, 5, [21.5, "eco"])
    ]


async def test_frames_and_reports_reach_their_groups_on_redis(stack: Stack):
    layer = RedisPubSubChannelLayer(hosts=[stack.redis.url])
    channel = await layer.new_channel()
    await layer.group_add("type.thermostat", channel)
    await layer.group_add("hub", channel)
    await asyncio.to_thread(stack.device, "watched")
    stack.publisher.reading("watched", {"temperature": 19.5})
    frame: frames.Frame | None = None
    report: dict[str, Any] | None = None
    while frame is None or report is None:
        event = await asyncio.wait_for(layer.receive(channel), 10)
        if event["type"] == "hub.bridge":
            report = event
        elif event["kind"] == "readings" and '"watched"' in event["body"]:
            frame = frames.frame_of_event(event)
    assert frame in stack.history.frames()
    assert report["receiving"]
    assert report["storing"]
    assert report["slot"] == "main"
    assert report["source"] == frame.source
    assert report["types"]["quiet"].keys() == {"readings_per_s", "online", "silent", "offline", "never"}
    await layer.flush()


def test_a_device_that_was_registered_a_moment_ago_is_taken_at_once(stack: Stack):
    stack.device("new")
    stack.publisher.reading("new", {"temperature": 1})
    wait_until(lambda: len(stack.history.rows("new")) == 1)
    assert stack.history.rejections("new") == []


def test_a_type_that_was_made_a_moment_ago_comes_with_its_device(stack: Stack):
    stack.registrar.run("registry.create_device_type('pump', metrics=[{'key': 'flow'}])")
    stack.device("new-too")
    stack.registrar.run("registry.create_device('first-pump', 'pump')")
    stack.publisher.reading("first-pump", {"flow": 1}, "pump")
    wait_until(lambda: len(stack.history.rows("first-pump")) == 1)
    assert stack.history.rejections("first-pump") == []


def test_readings_of_a_disabled_device_are_refused_within_a_second(stack: Stack):
    uid = stack.device("switched")
    stack.publisher.reading(uid, {"temperature": 1})
    wait_until(lambda: stack.history.states(uid) == [("online", "reading")])
    done_s = stack.registrar.run(f"registry.update_device(Device.objects.get(uid={uid!r}), enabled=False)")
    wait_until(lambda: stack.history.states(uid)[-1] == ("offline", "disabled"), what="offline")
    ((since_ms,),) = stack.history.query(
        "SELECT max(since_ms) FROM devices_devicestate WHERE device_id = ?", stack.history.key(uid)
    )
    assert since_ms / 1000 - done_s < REGISTRY_MAX_AGE_S
    stack.publisher.reading(uid, {"temperature": 2})
    stack.expect_refusal(uid, "device_disabled")
    assert stack.history.ledger(uid).rejected == 1
    assert len(stack.history.rows(uid)) == 1
    assert any(
        '"enabled":false' in frame.body and f'"{uid}"' in frame.body for frame in stack.history.frames()
    )
    stack.still_works()


# --- what is bad -------------------------------------------------------------------------------


BAD = [
    ("bad-json", b'{"temperature": 21.5', "not_json", ""),
    ("bad-nan", b'{"temperature": NaN}', "not_json", ""),
    ("bad-nesting", b"[" * 30_000, "not_json", ""),
    ("bad-bytes", b'{"mode": "\xff"}', "not_json", ""),
    ("bad-surrogate", rb'{"mode": "\ud800"}', "not_json", ""),
    ("bad-metric", b'{"pressure": 1}', "unknown_metric", "pressure"),
    ("bad-number", b'{"temperature": 1' + b"0" * 400 + b"}", "not_finite", "temperature"),
    ("bad-kind", b'{"temperature": "warm"}', "wrong_kind", "temperature"),
    ("bad-time", b'{"ts": true, "temperature": 1}', "bad_timestamp", ""),
    ("bad-size", b'{"mode": "' + b"x" * 70_000 + b'"}', "too_large", ""),
]


@pytest.mark.parametrize(("uid", "payload", "reason", "metric"), BAD, ids=[case[0] for case in BAD])
def test_bad_input_gets_its_documented_refusal_is_counted_and_stops_nothing_else(
    stack: Stack, uid: str, payload: bytes, reason: str, metric: str
):
    stack.device(uid)
    stack.publisher.send(topics.telemetry("thermostat", uid), payload)
    stack.expect_refusal(uid, reason, metric)
    ledger = stack.history.ledger(uid)
    assert (ledger.received, ledger.rejected, ledger.stored) == (1, 1, 0)
    ((kept,),) = stack.history.query("SELECT payload FROM devices_rejection WHERE uid = ?", uid)
    assert kept == payload[:MAX_PAYLOAD_BYTES]
    assert stack.history.states(uid) == []
    stack.still_works()


def test_a_bad_value_is_refused_and_its_good_neighbours_are_stored(stack: Stack):
    stack.device("half")
    stack.publisher.reading("half", {"temperature": 1_000, "mode": "eco"})
    stack.expect_refusal("half", "above_maximum", "temperature")
    assert [row.values for row in stack.history.rows("half")] == [{"mode": "eco"}]
    ledger = stack.history.ledger("half")
    assert (ledger.received, ledger.stored, ledger.rejected, ledger.values_rejected) == (1, 1, 0, 1)


def test_an_unknown_device_is_refused_and_counted_with_all_unknown_ones(stack: Stack):
    before = stack.history.ledger_of(UNKNOWN_DEVICE).rejected
    stack.publisher.reading("nobody", {"temperature": 1})
    stack.expect_refusal("nobody", "unknown_device")
    assert stack.history.ledger_of(UNKNOWN_DEVICE).rejected == before + 1
    stack.still_works()


def test_a_topic_that_no_device_may_use_is_refused(stack: Stack):
    before = stack.history.ledger_of(UNKNOWN_DEVICE).rejected
    stack.publisher.send("devices/thermostat/not a device/telemetry", b'{"temperature": 1}')
    stack.expect_refusal("", "bad_topic")
    assert stack.history.ledger_of(UNKNOWN_DEVICE).rejected == before + 1
    stack.still_works()


def test_a_topic_of_another_type_is_refused(stack: Stack):
    stack.device("astray")
    stack.publisher.reading("astray", {"temperature": 1}, "pump")
    stack.expect_refusal("astray", "wrong_device_type")
    assert stack.history.ledger("astray").rejected == 1
    stack.still_works()


def test_retained_telemetry_is_refused_when_it_comes_from_before(stack: Stack):
    """Only a bridge that subscribes gets the flag; so this one is made to come back."""
    stack.device("kept")
    topic = topics.telemetry("thermostat", "kept")
    stack.publisher.send(topic, b'{"temperature": 1}', retain=True)
    wait_until(lambda: len(stack.history.rows("kept")) == 1)
    assert stack.history.rejections("kept") == []
    with start_publisher(stack.broker, "hub.bridge"):
        stack.expect_refusal("kept", "retained")
    stack.publisher.send(topic, b"", retain=True)
    stack.still_works()


def test_a_payload_of_a_mebibyte_ends_its_own_connection_only(stack: Stack, tmp_path: Path):
    stack.device("huge")
    with start_publisher(stack.broker) as publisher:
        publisher.send(topics.telemetry("thermostat", "huge"), b"x" * 1_048_576, qos=0)
        stack.still_works()
    assert stack.history.ledger("huge").received == 0


def test_a_device_is_told_why(stack: Stack):
    stack.device("asking")
    heard: list[tuple[str, dict[str, object]]] = []
    with start_publisher(stack.broker) as publisher:
        publisher.hear(
            topics.rejections("thermostat", "asking"),
            lambda topic, payload: heard.append((topic, json.loads(payload))),
        )
        publisher.reading("asking", {"temperature": "warm"})
        wait_until(lambda: len(heard) == 1, what="the device is told")
    topic, body = heard[0]
    assert topic == "devices/thermostat/asking/rejections"
    assert (body["reason"], body["count"]) == ("wrong_kind", 1)


# --- silence, last: it takes ten seconds, which the tests above have used ------------------------


def test_a_device_that_says_nothing_for_too_long_is_silent(stack: Stack):
    wait_until(
        lambda: stack.history.states("quiet") == [("online", "reading"), ("silent", "no_reading")],
        what="silent",
    )
    logged = [frame for frame in stack.history.frames("quiet") if frame.kind == "states"]
    changes = [change for frame in logged for change in frames.decode_states(frame.body)]
    assert [(c.device_id, c.state, c.because) for c in changes] == [
        ("quiet", "online", "reading"),
        ("quiet", "silent", "no_reading"),
    ]
    assert 10_000 <= changes[1].since_ms - changes[0].since_ms < 20_000
