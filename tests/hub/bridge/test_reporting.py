"""What a bridge says of itself."""

import asyncio

import pytest

from devices.models import BridgeReport
from hub.bridge.storing import now_ms
from tests.hub.bridge.parts import until
from tests.hub.bridge.workbench import Bench, end

pytestmark = pytest.mark.usefixtures("thermostat")


async def test_a_report_says_how_the_bridge_is(bench: Bench):
    task = await bench.run()
    bench.arrive({"temperature": 1})
    await until(lambda: bench.ear.acknowledged == [1])
    report = bench.reporter.report()
    rate = report["types"]["thermostat"].pop("readings_per_s")
    assert rate > 0
    assert abs(report.pop("at_ms") - now_ms()) < 5_000
    assert report.pop("lag_ms") >= 0
    assert report.pop("storing_since_ms") > 0
    assert report == {
        "slot": "main",
        "source": "main-1",
        "receiving": True,
        "receiving_since_ms": 5,
        "storing": True,
        "dropped_by_broker": None,
        "types": {"thermostat": {"online": 1, "silent": 0, "offline": 0, "never": 0}},
    }
    await end(task)


async def test_reports_go_to_the_group_and_into_the_row_of_the_slot(bench: Bench):
    channel = await bench.layer.new_channel()
    await bench.layer.group_add("hub", channel)
    await bench.worker.start()
    tasks = [
        asyncio.create_task(bench.forwarder.run()),
        asyncio.create_task(bench.reporter.run(bench.forwarder, bench.records)),
    ]
    event = await bench.layer.receive(channel)
    assert event["type"] == "hub.bridge"
    assert event["slot"] == "main"

    def sources() -> list[str]:
        return list(BridgeReport.objects.values_list("source", flat=True))

    written: list[str] = []
    while not written:
        written = await bench.records.run(sources)
    assert written == ["main-1"]
    for task in tasks:
        await end(task)
