"""Fleets against a real Mosquitto."""

import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.limits.telemetry import MAX_PAYLOAD_BYTES, MAX_READINGS_PER_MESSAGE
from hub.protocol import topics
from simulators.fleet import Fleet, FleetPlan
from simulators.hub_api import Account, Coordinates, Latest, LatestValue, Topics
from simulators.models import MODELS
from simulators.registration import Registered, plan_fleet
from tests.parts.mosquitto import Mosquitto, start_mosquitto
from tests.simulators.ear import Ear, eventually

HOUR_MS = 3_600_000
TYPES = list(MODELS.values())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with start_mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    ear = Ear(broker)
    yield ear
    ear.close()


def registered(broker: Mosquitto, count: int = 1, latest: Latest | None = None) -> list[Registered]:
    """Devices as a hub would answer them; one type when there is one device."""
    return [
        Registered(plan, account(broker, plan.device_id, plan.model_type.slug), latest or Latest())
        for plan in plan_fleet(TYPES, count, "f-")[: count if count < 3 else None]
    ]


def account(broker: Mosquitto, device_id: str, slug: str, token: str = "token") -> Account:
    names = Topics(
        telemetry=topics.telemetry(slug, device_id),
        status=topics.status(slug, device_id),
        commands=topics.commands_filter(slug, device_id),
        rejections=topics.rejections(slug, device_id),
    )
    return Account(token, Coordinates(broker.host, broker.port, False, device_id, names))


@asynccontextmanager
async def running(devices: list[Registered], **plan: Any) -> AsyncIterator[Fleet]:
    fleet = Fleet(len(devices), FleetPlan(**{"interval_s": 0.1, **plan}))
    fleet.start()
    for device in devices:
        fleet.add(device)
    try:
        yield fleet
        assert not fleet.failed.done() or fleet.failed.cancelled(), fleet.failed
    finally:
        await fleet.stop(abrupt=True)


async def test_every_device_sends_numbered_readings_on_its_own_connection(
    broker: Mosquitto, ear: Ear
) -> None:
    devices = registered(broker, count=3)
    async with running(devices) as fleet:
        ids = [device.plan.device_id for device in devices]
        await eventually(lambda: all(len(ear.readings(each)) >= 5 for each in ids))
        assert fleet.tally.connected == 9
        for device_id in ids:
            readings = ear.readings(device_id)
            assert [each["seq"] for each in readings] == list(range(len(readings)))
            steps = [b["ts"] - a["ts"] for a, b in itertools.pairwise(readings)]
            assert set(steps) == {100}
        phases = {ear.readings(each)[0]["ts"] % 100 for each in ids}
        assert len(phases) == 9
        await eventually(lambda: fleet.tally.acknowledged == fleet.tally.published > 0)


async def test_a_clean_end_says_offline_and_is_quick(broker: Mosquitto, ear: Ear) -> None:
    devices = registered(broker, count=3)
    async with running(devices) as fleet:
        await eventually(lambda: fleet.tally.acknowledged >= 9)
        began = time.monotonic()
        await fleet.stop()
        assert time.monotonic() - began < 3
        assert fleet.tally.connected == 0
    await eventually(lambda: all(each == ["online", "offline"] for each in ear.status.values()))
    assert len(ear.status) == 9


async def test_an_abrupt_end_leaves_the_word_to_the_last_will(broker: Mosquitto, ear: Ear) -> None:
    devices = registered(broker)
    async with running(devices) as fleet:
        await eventually(lambda: fleet.tally.acknowledged)
    await eventually(lambda: ear.status["f-thermostat-001"] == ["online", "offline"])
    assert "Client f-thermostat-001 closed its connection" in broker.log_file.read_text()


async def test_the_status_is_retained(broker: Mosquitto) -> None:
    devices = registered(broker)
    async with running(devices) as fleet:
        await eventually(lambda: fleet.tally.acknowledged)
        late = Ear(broker)
        await eventually(lambda: late.status["f-thermostat-001"] == ["online"])
        late.close()


async def test_nothing_is_missing_after_the_broker_was_away(tmp_path: Path) -> None:
    keeping = ["allow_anonymous true", "persistence true", f"persistence_location {tmp_path}/"]
    with start_mosquitto(tmp_path, keeping) as broker:
        ear = Ear(broker, clean_session=False)
        async with running(registered(broker)) as fleet:
            await eventually(lambda: len(ear.readings("f-thermostat-001")) >= 3)
            broker.stop()
            await eventually(lambda: fleet.tally.stored >= 10)
            assert fleet.tally.connected == 0
            broker.start()
            measured = fleet.tally.measured
            await eventually(lambda: fleet.tally.acknowledged > measured and not fleet.tally.stored)
            await eventually(lambda: ear.readings("f-thermostat-001")[-1]["seq"] > measured)
            seqs = [each["seq"] for each in ear.readings("f-thermostat-001")]
            assert sorted(set(seqs)) == list(range(max(seqs) + 1))
            assert fleet.tally.dropped == 0
            assert fleet.tally.ever_connected == 1
        ear.close()
    arrays = [payload for payload in ear.telemetry["f-thermostat-001"] if payload.startswith(b"[")]
    assert max(len(json.loads(payload)) for payload in arrays) >= 10


async def test_a_full_memory_drops_the_oldest_and_counts_it(broker: Mosquitto, ear: Ear) -> None:
    broker.stop()
    async with running(registered(broker), outbox_readings=5, interval_s=0.05) as fleet:
        await eventually(lambda: fleet.tally.dropped >= 3)
        assert fleet.tally.stored == 5
        assert fleet.tally.measured == fleet.tally.dropped + 5
        assert "No MQTT broker answers" in fleet.tally.trouble


PAST_READINGS = (24 * 60 - 10) + 10 * 60 // 2
"""24 h at one reading a minute, the last 10 minutes at the live interval of 2 s."""

SLACK = 15
"""Half a minute of filling in on a busy machine: meanwhile the present goes on."""


async def test_the_past_is_filled_in_before_the_present(broker: Mosquitto, ear: Ear) -> None:
    devices = registered(broker, count=3)
    began_ms = time.time_ns() // 1_000_000
    async with running(devices, backfill_s=24 * 3600, interval_s=2) as fleet:
        await eventually(lambda: fleet.tally.filled == 9)
        await eventually(lambda: all("seq" in ear.readings(each.plan.device_id)[-1] for each in devices))
        assert fleet.tally.filled_readings == pytest.approx(9 * PAST_READINGS, abs=9 * SLACK)
    for device in devices:
        check_past(ear, device.plan.device_id, began_ms)


def check_past(ear: Ear, device_id: str, began_ms: int) -> None:
    payloads = ear.telemetry[device_id]
    assert all(len(payload) <= MAX_PAYLOAD_BYTES for payload in payloads)
    arrays = [json.loads(payload) for payload in payloads if payload.startswith(b"[")]
    assert all(len(each) <= MAX_READINGS_PER_MESSAGE for each in arrays)
    readings = ear.readings(device_id)
    times = [each["ts"] for each in readings]
    assert times == sorted(set(times))
    past = [each for each in readings if "seq" not in each]
    assert len(past) == pytest.approx(PAST_READINGS, abs=SLACK)
    assert abs(past[0]["ts"] - (began_ms - 24 * HOUR_MS)) < 5000
    steps = [b["ts"] - a["ts"] for a, b in itertools.pairwise(past)]
    assert set(steps[:1400]) == {60_000}
    assert set(steps[-250:]) == {2_000}, "the last minutes are as dense as the present"
    live = readings[len(past) :]
    assert [each["seq"] for each in live] == list(range(len(live)))
    if "energy_kwh" in past[0]["values"]:
        energy = [each["values"]["energy_kwh"] for each in readings]
        assert energy == sorted(energy)


async def test_only_what_the_hub_does_not_know_is_filled_in(broker: Mosquitto, ear: Ear) -> None:
    newest = datetime.fromtimestamp(time.time() - 1800, tz=UTC)
    latest = Latest({"temperature": LatestValue(20.0, newest)})
    async with running(registered(broker, latest=latest), backfill_s=24 * 3600, interval_s=2) as fleet:
        await eventually(lambda: fleet.tally.filled == 1)
        await eventually(lambda: "seq" in (ear.readings("f-thermostat-001") or [{}])[-1])
        past = [each for each in ear.readings("f-thermostat-001") if "seq" not in each]
        assert len(past) == pytest.approx(20 + 300, abs=SLACK)
        assert past[0]["ts"] == pytest.approx(newest.timestamp() * 1000 + 60_000, abs=2)
        assert past[0]["values"]["temperature"] == pytest.approx(20.0, abs=1.0)


async def test_a_rejection_is_shown(broker: Mosquitto, ear: Ear) -> None:
    async with running(registered(broker)) as fleet:
        await eventually(lambda: fleet.tally.acknowledged)
        topic = topics.rejections("thermostat", "f-thermostat-001")
        ear.tell(topic, b'{"reason":"unknown_metric","detail":"no metric x","count":3}')
        await eventually(lambda: fleet.tally.rejected == 3)
        assert fleet.tally.last_rejection == "f-thermostat-001: unknown_metric no metric x"
        ear.tell(topic, b"\xff{")
        await eventually(lambda: fleet.tally.rejected == 4)


async def test_a_wrong_token_is_said_and_not_tried_again_at_once(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, config_lines=["allow_anonymous false"]) as broker:
        async with running(registered(broker)) as fleet:
            await eventually(lambda: fleet.tally.refused == 1)
            assert "does not accept the token of 'f-thermostat-001'" in fleet.tally.trouble
            assert fleet.tally.ever_connected == 0


async def test_a_connection_that_is_cut_comes_back(broker: Mosquitto, ear: Ear) -> None:
    async with running(registered(broker)) as fleet:
        await eventually(lambda: fleet.tally.acknowledged)
        fleet.devices[0].connection.cut()
        await eventually(lambda: ear.status["f-thermostat-001"] == ["online", "offline", "online"])
        await eventually(lambda: fleet.tally.connected == 1)
        before = len(ear.readings("f-thermostat-001"))
        await eventually(lambda: len(ear.readings("f-thermostat-001")) > before)
        seqs = [each["seq"] for each in ear.readings("f-thermostat-001")]
        assert sorted(set(seqs)) == list(range(max(seqs) + 1))


async def test_a_frozen_broker_does_not_hold_the_goodbye_up(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.fleet.SIMULATOR_GOODBYE_S", 0.3)
    async with running(registered(broker, count=3)) as fleet:
        await eventually(lambda: fleet.tally.connected == 9)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            await fleet.stop()
            assert 0.3 <= time.monotonic() - began < 1.5
        finally:
            os.kill(broker.pid, signal.SIGCONT)
