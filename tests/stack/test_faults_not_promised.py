"""What is not promised, shown as it is: docs/reliability.md says no more and no less."""

import json
from pathlib import Path

from hub.protocol import topics
from tests.parts.hub_process import wait_until
from tests.parts.mosquitto import start_mosquitto
from tests.stack.load import DEVICES, SICK, Hub, Load, num_stored, wait_for_bridge
from tests.stack.parts import FIRST_MS, MOSQUITTO, open_history, start_publisher


def test_what_a_killed_broker_lost_is_counted_by_the_numbers_of_the_devices(tmp_path: Path, hub: Hub):
    """Thirty readings that it had acknowledged and not saved."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker, "load") as publisher:
        environment = hub(broker)
        load = Load(publisher)
        with open_history(environment) as history:
            with environment.start("bridge"):
                wait_for_bridge(history)
                load.send(30)
                wait_until(lambda: num_stored(history) == 30, what="the first readings")
            load.send(30)
            publisher.flush()
            broker.kill()
            broker.start()
            with environment.start("bridge") as bridge:
                bridge.wait_for_output("took the slot")
                wait_until(lambda: broker.log_file.read_text().count("as hub.bridge") == 2)
                load.send(30)
                wait_until(lambda: num_stored(history) == 60, what="the last readings")
            assert [history.ledger(uid).lost_before_hub for uid in DEVICES] == [10, 10, 10]
            history.check_laws(*DEVICES)


def test_a_reading_without_a_time_that_comes_again_is_another_reading(tmp_path: Path, hub: Hub):
    """With a time of its own it is a repeat."""
    with start_mosquitto(tmp_path, MOSQUITTO) as broker, start_publisher(broker) as publisher:
        environment = hub(broker)
        with open_history(environment) as history, environment.start("bridge"):
            wait_for_bridge(history)
            for document in ({"temperature": 1}, {"ts": FIRST_MS, "temperature": 1}):
                for _ in range(2):
                    publisher.send(topics.telemetry("thermostat", SICK), json.dumps(document))
            wait_until(lambda: history.ledger(SICK).received == 4)
            ledger = history.ledger(SICK)
            assert (ledger.stored, ledger.duplicate) == (3, 1)
            history.check_laws(SICK)
