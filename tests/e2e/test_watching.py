"""What somebody sees who watches: values, charts, new devices, and what goes stale."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import RunningHub, sign_in
from tests.parts.hub_process import wait_until


def row_of(page: Page, device_id: str) -> Locator:
    return page.locator(f"#devices tr[data-id='{device_id}']")


def test_values_change_on_the_page_of_a_type(page: Page, hub: RunningHub) -> None:
    with hub.simulators("power-meter"):
        page.goto(f"{hub.url}/types/power-meter/")
        row = row_of(page, "sim-power-meter-001")
        expect(row).to_contain_text("online")
        before = row.inner_text()
        wait_until(lambda: row.inner_text() != before, 10, what="another value in the row")


def test_the_chart_moves(page: Page, hub: RunningHub) -> None:
    with hub.simulators("power-meter"):
        page.goto(f"{hub.url}/types/power-meter/")
        chart = page.locator("#chart-panel canvas")
        chart.wait_for()
        seen = {chart.screenshot()}
        for _ in range(3):
            wait_until(lambda: chart.screenshot() not in seen, 10, what="another picture of the chart")
            seen.add(chart.screenshot())
        assert len(seen) >= 4


def test_a_device_registered_now_appears_without_a_reload(page: Page, hub: RunningHub) -> None:
    metrics = [{"key": "level", "kind": "number", "unit": "m", "precision": 2}]
    hub.rest("POST", "device-types/", {"slug": "tank", "name": "Tank", "metrics": metrics})
    page.goto(f"{hub.url}/types/tank/")
    expect(page.get_by_text("No device of this type yet.")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()

    answer = hub.rest("POST", "devices/", {"id": "north", "device_type": "tank", "name": "North tank"})
    assert answer.status_code == 201
    hub.mosquitto_pub(answer.json(), "tank", '{"level": 1.25}')
    started_s = time.monotonic()
    expect(row_of(page, "north")).to_contain_text("1.25", timeout=5_000)
    assert time.monotonic() - started_s < 2
    expect(row_of(page, "north")).to_contain_text("North tank")


def test_a_name_is_text_and_never_html(page: Page, hub: RunningHub) -> None:
    metrics = [{"key": "level", "kind": "number"}, {"key": "note", "kind": "text"}]
    hub.rest("POST", "device-types/", {"slug": "sly", "name": "<i>Sly</i>", "metrics": metrics})
    name = "<img src=x onerror=alert(1)>"
    answer = hub.rest("POST", "devices/", {"id": "sly-1", "device_type": "sly", "name": name})
    hub.mosquitto_pub(answer.json(), "sly", json.dumps({"level": 1, "note": "<b>bold</b>"}))
    page.goto(f"{hub.url}/types/sly/")
    expect(row_of(page, "sly-1")).to_contain_text(name)
    expect(row_of(page, "sly-1")).to_contain_text("<b>bold</b>")
    expect(page.get_by_role("heading", level=1)).to_have_text("<i>Sly</i>")


def test_tiles_go_stale_when_the_simulators_stop(page: Page, hub: RunningHub) -> None:
    tile = page.locator(".tile[data-slug='water-pump']")
    with hub.simulators("water-pump", count=2):
        page.goto(hub.url)
        expect(tile).to_contain_text("All 2 devices online")
    # They said goodbye.
    expect(tile).to_contain_text("2 offline", timeout=10_000)
    expect(tile.locator("[data-part=rate]")).to_have_text("0", timeout=15_000)


def test_devices_that_freeze_become_silent(page: Page, hub: RunningHub) -> None:
    with hub.simulators("thermostat", count=2) as process:
        page.goto(f"{hub.url}/types/thermostat/")
        expect(row_of(page, "sim-thermostat-001")).to_contain_text("online")
        process.send_signal(signal.SIGSTOP)
        try:
            expect(row_of(page, "sim-thermostat-001")).to_contain_text("silent", timeout=25_000)
        finally:
            process.send_signal(signal.SIGCONT)
        expect(row_of(page, "sim-thermostat-001")).to_contain_text("online", timeout=10_000)


def test_a_hub_that_goes_away_and_comes_back_is_told_and_found_again(
    new_page: Callable[..., Page], tmp_path: Path
) -> None:
    own = RunningHub(tmp_path)
    with own.run():
        page = new_page(allowed=("WebSocket connection", "ERR_CONNECTION_REFUSED"))
        sign_in(page, own)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.locator("#link-label")).to_contain_text("link is down", timeout=15_000)
    expect(page.locator("html")).to_have_attribute("data-stale", "link")
    expect(page).to_have_title("Link down – Overview · Telemetry Hub")
    with own.run():
        expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=30_000)
        expect(page.locator("html")).not_to_have_attribute("data-stale", "link")
