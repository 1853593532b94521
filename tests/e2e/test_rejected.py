"""What somebody sees who wants to know why data does not show, and has it taken once more."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import RunningHub
from tests.parts.hub_process import wait_until


def refused_device(hub: RunningHub, uid: str) -> None:
    """A device of which the hub refused one value, because its type lacks the metric."""
    slug = f"type-of-{uid}"
    hub.rest("POST", "device-types/", {"slug": slug, "metrics": [{"key": "level"}]})
    device = hub.rest("POST", "devices/", {"id": uid, "device_type": slug}).json()
    hub.mosquitto_pub(device, slug, '{"depth": 3}')
    path = f"rejections/?device={uid}"
    wait_until(lambda: hub.rest("GET", path).json()["count"] == 1, what="the rejection")


def test_a_rejected_payload_is_taken_again_with_a_button(page: Page, hub: RunningHub) -> None:
    refused_device(hub, "again")
    page.goto(f"{hub.url}/rejected/?device=again")
    row = page.locator("#rows tr")
    expect(row).to_contain_text("The type has no such metric (depth)")
    take = page.get_by_role("button", name="Take again what again sent")
    take.click()
    expect(row).to_contain_text("Taken again: 1 rejected. The type has no such metric")

    hub.rest("PATCH", "device-types/type-of-again/", {"metrics": [{"key": "level"}, {"key": "depth"}]})
    take.focus()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("Taken again: 1 stored")
    assert hub.rest("GET", "devices/again/latest/").json()["values"]["depth"]["value"] == 3


def test_the_page_of_a_device_takes_again_too_and_tells_of_its_clock_and_the_broker(
    page: Page, hub: RunningHub
) -> None:
    refused_device(hub, "late")
    hub.environment.shell(
        "from devices.models import Device, DeviceClock\n"
        "DeviceClock.objects.create(device=Device.objects.get(uid='late'), skew_ms=-12_000, at_ms=1)"
    )
    page.goto(f"{hub.url}/devices/late/")
    expect(page.locator("#clock")).to_have_text("Its clock is 12\u202fs behind")
    dropped = page.get_by_role("row", name="Dropped by the broker, whole hub")
    expect(dropped).to_contain_text("messages of any client")
    page.get_by_role("button", name="Take again what late sent").click()
    expect(page.locator("#rejections")).to_contain_text("Taken again: 1 rejected")
    expect(page.locator("[data-ledger=received]")).to_have_text("2")
