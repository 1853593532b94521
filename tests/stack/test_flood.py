"""One device floods the hub with rubbish: it is counted, costs a few rows, and its neighbours notice nothing.

Then what was refused is asked for once more, with a real broker, bridge and registry.
"""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hub.limits.bridge import BACKLOG_AT_LEAST_MS, RATE_LIMIT_DEPTH, RATE_LIMIT_PER_S
from hub.protocol import frames, topics
from tests.parts.hub_process import HubEnvironment, wait_until
from tests.parts.mosquitto import start_mosquitto
from tests.stack.parts import (
    MOSQUITTO,
    History,
    Publisher,
    Registrar,
    open_history,
    start_publisher,
    start_registrar,
)

FLOOD_PER_S = 5_000
FLOOD_S = 6
EVERY_S = 0.02


class Stack(NamedTuple):
    registrar: Registrar
    history: History
    publisher: Publisher


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("flood")
    with start_mosquitto(folder, MOSQUITTO) as broker:
        environment = HubEnvironment(folder, HUB_BROKER="open", HUB_MQTT_URL=broker.url)
        with (
            environment.start("bridge"),
            start_registrar(environment) as registrar,
            start_publisher(broker) as publisher,
            open_history(environment) as history,
        ):
            for uid in ("neighbour", "flooder", "namer"):
                registrar.device(uid)
            report = "SELECT receiving FROM devices_bridgereport"
            wait_until(lambda: history.query(report) == [(1,)], what="the bridge's row")
            yield Stack(registrar, history, publisher)


def send_for(stack: Stack, seconds: float, rubbish_a_round: int) -> int:
    """The neighbour's readings, one a round, and as many messages of the flooder; returns the readings."""
    started_s = time.monotonic()
    num_rounds = round(seconds / EVERY_S)
    for number in range(num_rounds):
        stack.publisher.reading("neighbour", {"ts": time.time_ns() // 1_000_000, "temperature": 20})
        for _ in range(rubbish_a_round):
            stack.publisher.send(topics.telemetry("thermostat", "flooder"), b'{"temperature": ', qos=0)
        time.sleep(max(0.0, started_s + (number + 1) * EVERY_S - time.monotonic()))
    return num_rounds


def delays_ms(history: History, since_ms: int) -> list[int]:
    """How long the neighbour's readings since then took from being made to being committed."""
    rows = [
        (frame.at_ms, row[1])
        for frame in history.frames()
        if frame.kind == "readings"
        for row in frames.decode_readings(frame.body).rows
        if row[0] == "neighbour"
    ]
    return [at_ms - ts_ms for at_ms, ts_ms in rows if ts_ms >= since_ms]


def test_a_flood_costs_a_few_rows_and_its_neighbours_nothing(stack: Stack):
    history = stack.history
    quiet_from_ms = time.time_ns() // 1_000_000
    stack.publisher.reading("neighbour", {"temperature": 20})
    num_quiet = send_for(stack, 2 * BACKLOG_AT_LEAST_MS / 1000, 0)
    wait_until(lambda: history.ledger("neighbour").received == num_quiet + 1)
    quiet = delays_ms(history, quiet_from_ms)

    flood_from_ms = time.time_ns() // 1_000_000
    num_readings = send_for(stack, FLOOD_S, round(FLOOD_PER_S * EVERY_S))
    sent = num_readings * round(FLOOD_PER_S * EVERY_S)
    took_s = time.time() - flood_from_ms / 1000
    wait_until(lambda: history.ledger("flooder").received == sent, 30, what="every message of the flood")
    wait_until(lambda: history.ledger("neighbour").received == num_quiet + 1 + num_readings)
    flooded = delays_ms(history, flood_from_ms)

    for name, delays in (("quiet", quiet), (f"beside {sent / took_s:,.0f} bad messages/s", flooded)):
        p50, p99 = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
        print(f"neighbour's reading to commit, {name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    assert len(flooded) == num_readings
    # Not a measurement: the machine may be busy with other things. A starved neighbour waits seconds.
    assert statistics.median(flooded) < 1_000

    ledger = history.ledger("flooder")
    assert (ledger.received, ledger.rejected) == (sent, sent)
    rejections = history.rejections("flooder")
    assert sum(count for _, _, count in rejections) == sent
    assert {reason for reason, _, _ in rejections} == {"not_json", "rate_limited"}
    assert len(rejections) <= 4, "two reasons, and a new ten minutes may have begun"
    decoded = sum(count for reason, _, count in rejections if reason == "not_json")
    assert decoded <= RATE_LIMIT_DEPTH + RATE_LIMIT_PER_S * (took_s + 1)
    history.check_laws("neighbour", "flooder")


def test_a_flood_of_new_names_costs_a_bounded_number_of_rows(stack: Stack):
    for number in range(2_000):
        stack.publisher.reading("namer", {f"name{number}": 1})
    wait_until(lambda: stack.history.ledger("namer").rejected == 2_000, 30, what="every message")
    wait_until(lambda: sum(count for *_, count in stack.history.rejections("namer")) == 2_000)
    assert len(stack.history.rejections("namer")) <= 2 * 101
    stack.history.check_laws("namer")


def test_what_was_refused_is_stored_when_it_is_asked_for_again(stack: Stack):
    stack.publisher.reading("late", {"temperature": 7})
    wait_until(lambda: stack.history.rejections("late") == [("unknown_device", "", 1)])
    stack.registrar.device("late")
    stack.registrar.run(
        "from devices import replays\n"
        "from devices.models import Rejection\n"
        "replays.request(replays.with_replays(Rejection.objects.filter(uid='late')).get(), 1)"
    )
    wait_until(
        lambda: stack.history.query("SELECT outcome, stored FROM devices_replay") == [("stored", 1)],
        what="the outcome",
    )
    ((last_ms,),) = stack.history.query("SELECT last_ms FROM devices_rejection WHERE uid = 'late'")
    assert [(row.ts_ms, row.values) for row in stack.history.rows("late")] == [(last_ms, {"temperature": 7})]
    stack.history.check_laws("late")


def test_a_type_that_learns_knows_the_metric_of_the_first_message(stack: Stack):
    stack.registrar.run("registry.create_device_type('pupil', unknown_metrics='learn')")
    stack.registrar.device("curious", "pupil")
    stack.publisher.reading("curious", {"level": 3, "mode": "eco"}, "pupil")
    wait_until(lambda: len(stack.history.rows("curious")) == 1)
    assert stack.history.rejections("curious") == []
    metrics = stack.history.query("SELECT key, kind FROM devices_metric WHERE key = 'level'")
    assert metrics == [("level", "number")]
    logged = [frame for frame in stack.history.frames("pupil") if frame.kind in ("device_type", "readings")]
    shape = json.loads(f"{{{logged[-2].body}}}")["device_type"]
    assert (logged[-2].kind, [m["key"] for m in shape["metrics"]]) == ("device_type", ["level", "mode"])
    assert logged[-1].kind == "readings"


def test_what_mosquitto_dropped_is_reported(stack: Stack):
    wait_until(
        lambda: stack.history.query("SELECT dropped_by_broker FROM devices_bridgereport") == [(0,)],
        20,
        what="the broker's own figure",
    )


def test_what_piled_up_while_the_hub_was_away_is_no_flood(tmp_path: Path):
    """One device's messages of many minutes arrive in a second: that is the hub's doing, not the device's."""
    num_messages = 2 * RATE_LIMIT_DEPTH
    first_ms = time.time_ns() // 1_000_000 - num_messages
    with start_mosquitto(tmp_path, MOSQUITTO) as broker:
        environment = HubEnvironment(tmp_path, HUB_BROKER="open", HUB_MQTT_URL=broker.url)
        with start_registrar(environment) as registrar, open_history(environment) as history:
            registrar.device("steady")
            report = "SELECT receiving FROM devices_bridgereport"
            with environment.start("bridge"):
                wait_until(lambda: history.query(report) == [(1,)], what="the bridge's session")
            with start_publisher(broker) as publisher:
                for number in range(num_messages):
                    publisher.reading("steady", {"ts": first_ms + number, "temperature": 1})
                publisher.flush()
            with environment.start("bridge"):
                wait_until(lambda: history.ledger("steady").received >= num_messages, 60, what="the backlog")
            assert history.rejections("steady") == []
            assert len(history.rows("steady")) == num_messages
            history.check_laws("steady")
