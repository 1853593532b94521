"""What a network and devices do to readings: twice, out of order, and poisoned. The rest is stored once."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import redis

from hub.protocol import topics
from tests.parts.hub_process import HubEnvironment, wait_until
from tests.parts.mosquitto import start_mosquitto
from tests.parts.redis import start_redis
from tests.stack.load import (
    DEVICES,
    SICK,
    Hub,
    Load,
    check_nothing_lost,
    num_stored,
    reading,
    wait_for_bridge,
    wait_for_more,
)
from tests.stack.parts import FIRST_MS, MOSQUITTO, open_history, start_publisher

NUM_READINGS = 300
"""Of each device, each sent twice."""

DISTANCE = 30
"""How far a reading comes from its place."""

NOT_STORABLE_MS = FIRST_MS - 666
POISON = {
    "not_json": b"[" * 30_000,
    "bad_shape": b'"warm"',
    "too_large": b'{"mode": "' + b"x" * 70_000 + b'"}',
    "too_many_readings": b"[" + b",".join([b'{"temperature": 1}'] * 1_001) + b"]",
    "bad_timestamp": b'{"ts": -1, "temperature": 1}',
    "timestamp_in_future": b'{"ts": 4102444800000, "temperature": 1}',
    "timestamp_too_old": b'{"ts": 1, "temperature": 1}',
    "no_values": b"{}",
    "unknown_metric": b'{"pressure": 1}',
    "wrong_kind": b'{"temperature": "warm"}',
    "not_finite": b'{"temperature": 1' + b"0" * 400 + b"}",
    "too_long": b'{"mode": "' + b"x" * 257 + b'"}',
    "below_minimum": b'{"temperature": -41}',
    "above_maximum": b'{"temperature": 86}',
    "not_storable": b'{"ts": %d, "temperature": 1}' % NOT_STORABLE_MS,
}


def twice_and_out_of_order() -> Iterator[tuple[str, int]]:
    """(device, seq) of every reading, twice, each up to `DISTANCE` places from where it belongs."""
    drawn = random.Random(11)
    sent = [(seq, uid) for seq in range(NUM_READINGS) for uid in DEVICES] * 2
    for seq, uid in sorted(sent, key=lambda one: one[0] + drawn.uniform(0, DISTANCE)):
        yield uid, seq


def test_readings_delivered_twice_and_out_of_order_are_stored_once_and_close_their_holes(
    tmp_path: Path, hub: Hub
):
    with (
        start_mosquitto(tmp_path, MOSQUITTO) as broker,
        start_publisher(broker) as one,
        start_publisher(broker) as two,
    ):
        environment = hub(broker)
        load = Load(one)
        with open_history(environment) as history, environment.start("bridge"):
            wait_for_bridge(history)
            for number, (uid, seq) in enumerate(twice_and_out_of_order()):
                (one, two)[number % 2].reading(uid, reading(seq))
            load.num_sent = NUM_READINGS * len(DEVICES)
            check_nothing_lost(history, load)
            for uid in DEVICES:
                wait_until(lambda uid=uid: history.ledger(uid).received == 2 * NUM_READINGS)  # type: ignore[misc]
                ledger = history.ledger(uid)
                assert (ledger.stored, ledger.updated, ledger.duplicate) == (NUM_READINGS, 0, NUM_READINGS)
            history.check_laws(*DEVICES)


def refuse_a_reading(environment: HubEnvironment) -> None:
    """Let the database refuse what no code of ours refuses: the reading of one time."""
    with closing(sqlite3.connect(environment.history_file)) as connection:
        connection.execute(
            f"CREATE TRIGGER poison BEFORE INSERT ON reading WHEN NEW.ts = {NOT_STORABLE_MS} "
            "BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )


def test_every_kind_of_poison_is_refused_with_its_reason_and_stops_nobody(tmp_path: Path, hub: Hub):
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            refuse_a_reading(environment)
            with load.running():
                wait_for_more(history, 50)
                for payload in POISON.values():
                    publisher.send(topics.telemetry("thermostat", SICK), payload)
                wait_until(lambda: history.ledger(SICK).received >= len(POISON), what="the poison judged")
                wait_for_more(history, 50)
            check_nothing_lost(history, load)
            wait_until(lambda: len(history.rejections(SICK)) == len(POISON), what="all refused")
            assert {reason for reason, _, _ in history.rejections(SICK)} == POISON.keys()
            ledger = history.ledger(SICK)
            assert (ledger.received, ledger.rejected) == (len(POISON), len(POISON))
            history.check_laws(SICK)
            assert "Traceback" not in bridge.output
            assert bridge.stop() == 0


def test_redis_that_stands_still_for_five_seconds_under_load_is_heard_again(tmp_path: Path, hub: Hub):
    with (
        start_mosquitto(tmp_path, MOSQUITTO) as broker,
        start_redis(tmp_path) as server,
        start_publisher(broker) as publisher,
    ):
        environment = hub(broker, HUB_REDIS_URL=server.url)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            with load.running():
                wait_for_more(history)
                os.kill(server.pid, signal.SIGSTOP)
                stopped_s = time.monotonic()
                wait_for_more(history)
                assert time.monotonic() - stopped_s < 5, "storing does not wait for the layer"
                wait_until(lambda: time.monotonic() - stopped_s > 5)
                os.kill(server.pid, signal.SIGCONT)
                wait_until(lambda: hears(server.url), what="frames in the group again")
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert num_stored(history) == load.num_sent
            assert all(history.ledger(uid).duplicate == 0 for uid in DEVICES), "nothing came again"
            assert bridge.stop() == 0


def hears(url: str) -> bool:
    """Whether a frame is published within a second."""
    with closing(redis.Redis.from_url(url)) as client, closing(client.pubsub()) as heard:
        heard.psubscribe("*type.thermostat*")
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            message = heard.get_message(timeout=0.2)
            if message is not None and message["type"] == "pmessage":
                return True
        return False
