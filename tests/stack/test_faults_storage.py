"""Storage that fails under load: a full disk, a locked registry. Nothing is lost, and nobody gives up."""

import resource
from pathlib import Path

from tests.parts.hub_process import wait_until
from tests.parts.mosquitto import start_mosquitto
from tests.stack.load import Hub, Load, check_nothing_lost, num_stored, wait_for_bridge, wait_for_more
from tests.stack.parts import MOSQUITTO, locked, open_history, start_publisher

FULL_AT_BYTES = 64 * 1024


def test_a_disk_that_is_full_under_load_loses_nothing(tmp_path: Path, hub: Hub):
    """No file of the bridge may grow any more, until there is room again."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            room = resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE)
            with load.running():
                wait_for_more(history)
                resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, room[1]))
                bridge.wait_for_output("Not storing, will try again")
                stored = num_stored(history)
                wait_until(lambda: load.num_sent > stored + 300, what="more readings sent")
                assert num_stored(history) == stored
                resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, room)
                bridge.wait_for_output("Storing again")
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert bridge.stop() == 0


def test_with_the_registry_locked_the_holder_stays_connected_and_renews_first(tmp_path: Path, hub: Hub):
    """Its lease runs out meanwhile: it stores nothing until it has renewed it."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            with load.running():
                wait_for_more(history)
                with locked(environment.registry_file):
                    bridge.wait_for_output("the slot cannot be renewed, will try again")
                    stored = num_stored(history)
                    wait_until(lambda: load.num_sent > stored + 300, what="more readings sent")
                wait_for_more(history)
            check_nothing_lost(history, load)
            assert broker.log_file.read_text().count("as hub.bridge") == 1
            assert bridge.stop() == 0
