"""What breaks around a bridge, and its own death: every reading is stored exactly once."""

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts.mosquitto import start_mosquitto
from tests.parts.redis import start_redis
from tests.stack.load import (
    DEVICES,
    Hub,
    Load,
    check_nothing_lost,
    num_stored,
    wait_for_bridge,
    wait_for_more,
)
from tests.stack.parts import MOSQUITTO, locked, open_history, start_publisher


def test_a_bridge_that_is_killed_ten_times_under_load_stores_every_reading_exactly_once(
    tmp_path: Path, hub: Hub
):
    """At any instant, also while it starts: the instants are drawn, the same ones in every run."""
    instants = random.Random(7)
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, ExitStack() as until_stopped:
            with environment.start("bridge") as first:
                wait_for_bridge(history)
                until_stopped.enter_context(load.running())
                wait_for_more(history)
                first.kill()
            for _ in range(8):
                with environment.start("bridge") as bridge:
                    time.sleep(instants.uniform(0.5, 2.0))
                    bridge.kill()
            with environment.start("bridge") as tenth:
                wait_for_more(history)
                tenth.kill()
            with environment.start("bridge") as last:
                wait_for_more(history)
                load.stop()
                check_nothing_lost(history, load)
                assert last.stop() == 0
            assert len({frame.source for frame in history.frames()}) >= 3


def test_a_broker_that_is_restarted_under_load_loses_nothing(tmp_path: Path, hub: Hub):
    persistence = ("persistence true", f"persistence_location {tmp_path}/")
    with start_mosquitto(tmp_path, (*MOSQUITTO, *persistence)) as broker:
        environment = hub(broker)
        with (
            open_history(environment) as history,
            environment.start("bridge") as bridge,
            start_publisher(broker, "load") as publisher,
        ):
            wait_for_bridge(history)
            load = Load(publisher)
            with load.running():
                wait_for_more(history)
                broker.stop()
                bridge.wait_for_output("Connection refused")
                broker.start()
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert bridge.process.poll() is None
            assert {frame.source for frame in history.frames()} == {history.frames()[0].source}


@pytest.mark.parametrize("frozen", [False, True], ids=["killed", "frozen"])
def test_with_redis_gone_everything_is_stored_and_acknowledged(tmp_path: Path, hub: Hub, frozen: bool):
    with (
        start_mosquitto(tmp_path, MOSQUITTO) as broker,
        start_redis(tmp_path) as redis,
        start_publisher(broker) as publisher,
    ):
        environment = hub(broker, HUB_REDIS_URL=redis.url)
        load = Load(publisher)
        with open_history(environment) as history:
            with environment.start("bridge") as bridge:
                wait_for_bridge(history)
                os.kill(redis.pid, signal.SIGSTOP if frozen else signal.SIGKILL)
                load.send(300)
                check_nothing_lost(history, load)
                assert bridge.stop() == 0
            with environment.start("bridge"):
                load.send()
                check_nothing_lost(history, load)
            assert all(history.ledger(uid).duplicate == 0 for uid in DEVICES), "nothing came again"


def test_a_locked_database_is_waited_for(tmp_path: Path, hub: Hub):
    """The broker holds what cannot be stored, and the bridge says so in its log."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            with locked(environment.history_file):
                load.send(100)
                bridge.wait_for_output("Not storing, will try again")
                assert num_stored(history) == 0
            check_nothing_lost(history, load)
            bridge.wait_for_output("Storing again")
