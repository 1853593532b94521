"""What must not make presence lie: a change of bridges, an outage of the hub, a status from yesterday."""

from pathlib import Path

from hub.protocol import topics
from tests.parts.hub_process import wait_until
from tests.parts.mosquitto import start_mosquitto
from tests.stack.load import SICK, Hub, Load, check_nothing_lost, wait_for_bridge
from tests.stack.parts import MOSQUITTO, History, Publisher, open_history, start_publisher

ONLINE = ("online", "reading")
OFFLINE = ("offline", "status")


def say_offline(publisher: Publisher, uid: str) -> None:
    """What a broker keeps and sends when a device is gone."""
    publisher.send(topics.status("thermostat", uid), b"offline", retain=True)


def wait_for_state(history: History, uid: str, *states: tuple[str, str]) -> None:
    wait_until(lambda: history.states(uid) == list(states), what=f"{uid} {states}")


def test_neither_two_bridges_nor_an_outage_nor_yesterdays_status_make_presence_lie(tmp_path: Path, hub: Hub):
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        # The last word of a device that had the id before: the one of today was never heard.
        say_offline(publisher, SICK)
        with open_history(environment) as history:
            with environment.start("bridge") as one, environment.start("bridge") as two:
                wait_for_bridge(history)
                wait_until(lambda: "waiting." in one.output + two.output, what="a standby")
                active, standby = (two, one) if "waiting." in one.output else (one, two)
                # A device that was gone, came back, and says nothing but readings.
                say_offline(publisher, "a")
                wait_for_state(history, "a", OFFLINE)
                load.send(3)
                wait_for_state(history, "a", OFFLINE, ONLINE)
                active.kill()
                standby.wait_for_output("is dead")
                load.send(3)
                check_nothing_lost(history, load)
                standby.kill()
            # The hub is gone: one device goes away meanwhile, one goes and comes back.
            say_offline(publisher, "b")
            say_offline(publisher, "c")
            load.send(3)
            say_offline(publisher, "b")
            with environment.start("bridge"):
                check_nothing_lost(history, load)
                wait_until(lambda: history.states("b")[-1] == OFFLINE, what="b gone")
                wait_until(lambda: history.states("c")[-1] == ONLINE, what="c back")
            assert history.states("a") == [OFFLINE, ONLINE]
            assert history.states(SICK) == []
