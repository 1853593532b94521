"""Two bridges of one slot as real processes: one works, the other waits, takes over, inherits the session."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.parts.hub_process import HubEnvironment, HubProcess, wait_until
from tests.parts.mosquitto import Mosquitto, free_port, start_mosquitto
from tests.stack.load import Hub, Load, check_nothing_lost, num_stored, wait_for_bridge, wait_for_more
from tests.stack.parts import MOSQUITTO, History, open_history, start_publisher

TAKE_OVER_WITHIN_S = 8.0 + 4.0
"""What is promised, and what a machine may add that runs other tests beside this one."""


@dataclass
class Bridge:
    process: HubProcess
    port: int

    def readyz(self) -> tuple[int, str]:
        """(status, role)"""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.TransportError:
            return 0, ""
        return answer.status_code, answer.json()["role"]


@contextmanager
def start_bridge(environment: HubEnvironment) -> Iterator[Bridge]:
    port = free_port()
    environment.variables["HUB_METRICS_PORT"] = str(port)
    with environment.start("bridge") as process:
        yield Bridge(process, port)


@contextmanager
def start_pair(environment: HubEnvironment, history: History) -> Iterator[tuple[Bridge, Bridge]]:
    """A bridge that works and one that waits for it."""
    with start_bridge(environment) as active:
        wait_for_bridge(history)
        with start_bridge(environment) as standby:
            host = os.uname().nodename
            pid = active.process.pid
            standby.process.wait_for_output(
                f"Bridge main: process {pid} on host {host} holds the slot; waiting."
            )
            yield active, standby


def num_connects(broker: Mosquitto) -> int:
    """How often a bridge signed in."""
    return broker.log_file.read_text().count("as hub.bridge")


def test_a_standby_takes_over_at_once_from_a_bridge_of_its_host_that_is_killed(tmp_path: Path, hub: Hub):
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, start_pair(environment, history) as (active, standby):
            assert active.readyz() == (200, "active")
            assert standby.readyz() == (200, "standby")
            with load.running():
                wait_for_more(history)
                active.process.kill()
                killed_s = time.monotonic()
                standby.process.wait_for_output("is dead")
                assert time.monotonic() - killed_s < 5, "sooner than its lease runs out"
                wait_until(lambda: num_connects(broker) == 2, what="the session inherited")
                assert time.monotonic() - killed_s < TAKE_OVER_WITHIN_S
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert standby.readyz() == (200, "active")
            assert standby.process.stop() == 0
            sources = {frame.source for frame in history.frames()}
            assert len(sources) == 2
            assert num_connects(broker) == 2


def test_a_bridge_that_was_frozen_finds_another_there_and_waits(tmp_path: Path, hub: Hub):
    """Frozen, it is alive for the system and silent for everybody: its lease runs out."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, start_pair(environment, history) as (active, standby):
            with load.running():
                wait_for_more(history)
                os.kill(active.process.pid, signal.SIGSTOP)
                frozen_s = time.monotonic()
                standby.process.wait_for_output("was not heard for 6 s")
                wait_until(lambda: num_connects(broker) == 2, what="the session inherited")
                assert time.monotonic() - frozen_s < TAKE_OVER_WITHIN_S
                wait_for_more(history)
                time.sleep(max(0.0, frozen_s + 10 - time.monotonic()))
                os.kill(active.process.pid, signal.SIGCONT)
                active.process.wait_for_output(
                    "another bridge took the slot over. This one acknowledges nothing"
                )
                active.process.wait_for_output(f"process {standby.process.pid} on host")
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert (active.readyz(), standby.readyz()) == ((200, "standby"), (200, "active"))
            assert num_connects(broker) == 2, "nobody was thrown off but who was frozen"
            # And back, in order: the slot is given back, and the one that was frozen begins anew.
            assert standby.process.stop() == 0
            wait_until(lambda: active.readyz() == (200, "active"), what="the first at work again")
            load.send(100)
            check_nothing_lost(history, load)
            assert len({frame.source for frame in history.frames()}) == 3
            check_states(history)


def check_states(history: History) -> None:
    """Nobody fell silent or came back: the devices sent all the time, only bridges changed."""
    assert [history.states(uid) for uid in ("a", "b", "c")] == [[("online", "reading")]] * 3


def test_of_two_bridges_that_start_at_once_one_works_and_the_other_waits(tmp_path: Path, hub: Hub):
    """Whoever starts a second bridge by mistake does no harm."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with (
            open_history(environment) as history,
            start_bridge(environment) as one,
            start_bridge(environment) as two,
        ):
            wait_for_bridge(history)
            wait_until(
                lambda: {one.readyz(), two.readyz()} == {(200, "active"), (200, "standby")},
                what="one active, one standby",
            )
            load.send(300)
            check_nothing_lost(history, load)
            assert num_stored(history) == 300
            assert (one.process.output + two.process.output).count("holds the slot; waiting.") == 1
            assert num_connects(broker) == 1


def test_a_bridge_beside_runhub_waits_and_goes_on_when_that_ends(tmp_path: Path, hub: Hub):
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker, HUB_HTTP_PORT=str(free_port()))
        load = Load(publisher)
        with open_history(environment) as history, environment.start("runhub") as whole:
            wait_for_bridge(history)
            with start_bridge(environment) as standby:
                standby.process.wait_for_output(
                    f"process {whole.pid} on host {os.uname().nodename} holds the slot"
                )
                load.send(60)
                check_nothing_lost(history, load)
                assert whole.stop() == 0
                load.send(60)
                check_nothing_lost(history, load)
                assert standby.readyz() == (200, "active")
