from typing import Any

import pytest
from django.urls import reverse

from devices import registry
from devices.models import BridgeReport, Device, DeviceType, Rejection, Tombstone
from hub.accounts.models import User


@pytest.fixture
def admin(client, db):
    client.force_login(User.objects.create_superuser("root"))
    return client


def formset(prefix, rows, initial=0):
    data = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def type_form(slug="pump", metrics=(), initial=0, **changes):
    return {
        "slug": slug,
        "name": "Pump",
        "description": "",
        "expected_interval_s": "10",
        "retention_days": "30",
        "unknown_metrics": "reject",
        **formset("metrics", list(metrics), initial),
        **changes,
    }


def device_form(device_type, labels=(), initial=0, **changes):
    return {
        "uid": "d1",
        "device_type": device_type.pk,
        "name": "First",
        "enabled": "on",
        **formset("label_set", list(labels), initial),
        **changes,
    }


@pytest.mark.parametrize("model", ["devicetype", "device", "rejection", "bridgereport"])
def test_every_list_and_page_opens(admin, device, model):
    BridgeReport.objects.create(
        slot="main",
        source="s",
        at_ms=1,
        receiving=True,
        receiving_since_ms=1,
        storing=True,
        storing_since_ms=1,
    )
    Rejection.objects.create(
        uid="x", device_type="x", reason="not_json", window_ms=1, payload=b"\xff<b>", first_ms=1, last_ms=1
    )
    assert admin.get(reverse(f"admin:devices_{model}_changelist")).status_code == 200
    row: Any = {
        "devicetype": DeviceType,
        "device": Device,
        "rejection": Rejection,
        "bridgereport": BridgeReport,
    }[model]
    page = admin.get(reverse(f"admin:devices_{model}_change", args=[row.objects.get().pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("model", ["user", "apitoken"])
def test_users_and_their_tokens_are_listed(admin, model):
    assert admin.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 200


def test_a_type_is_made_with_its_metrics_through_the_registry(admin):
    metrics = [{"key": "pressure", "kind": "number", "unit": "bar"}, {"key": "on", "kind": "boolean"}]
    answer = admin.post(reverse("admin:devices_devicetype_add"), type_form(metrics=metrics))
    assert answer.status_code == 302, answer.context["errors"]
    made = DeviceType.objects.get(slug="pump")
    assert list(made.metrics.values_list("key", flat=True)) == ["pressure", "on"]
    assert made.version == registry.current_version() > 0


def test_a_change_of_a_type_is_stamped(admin, thermostat, history):
    page = reverse("admin:devices_devicetype_change", args=[thermostat.pk])
    rows = [
        {"id": metric.pk, "device_type": thermostat.pk, "key": metric.key, "kind": metric.kind, "name": "N"}
        for metric in thermostat.metrics.all()
    ]
    rows[1]["DELETE"] = "on"
    answer = admin.post(page, type_form("ignored", rows, initial=3, name="Changed"))
    assert answer.status_code == 302, answer.context["errors"]
    thermostat.refresh_from_db()
    assert (thermostat.slug, thermostat.name) == ("thermostat", "Changed")
    assert list(thermostat.metrics.values_list("key", flat=True)) == ["temperature", "mode"]
    assert thermostat.version == registry.current_version() > 1


def test_a_device_is_made_changed_and_deleted_through_the_registry(admin, thermostat):
    labels = [{"key": "site", "value": "north"}]
    answer = admin.post(reverse("admin:devices_device_add"), device_form(thermostat, labels), follow=True)
    device = Device.objects.get(uid="d1")
    token_hash = device.credentials.get().token_hash
    assert token_hash not in answer.content.decode()
    assert dict(device.label_set.values_list("key", "value")) == {"site": "north"}

    page = reverse("admin:devices_device_change", args=[device.pk])
    label = {"id": device.label_set.get().pk, "device": device.pk, "key": "site", "value": "south"}
    assert admin.post(page, device_form(thermostat, [label], 1, name="New")).status_code == 302
    device.refresh_from_db()
    assert (device.name, device.version) == ("New", registry.current_version())
    assert device.label_set.get().value == "south"

    assert (
        admin.post(reverse("admin:devices_device_delete", args=[device.pk]), {"post": "yes"}).status_code
        == 302
    )
    assert Tombstone.objects.get().uid == "d1"


def test_many_devices_deleted_at_once_each_leave_a_tombstone(admin, thermostat):
    keys = [registry.create_device(f"d{number}", "thermostat")[0].pk for number in range(3)]
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    assert admin.post(reverse("admin:devices_device_changelist"), form).status_code == 302
    assert Tombstone.objects.count() == 3


def test_what_the_registry_refuses_is_told_on_the_page(admin, device, store):
    store(device, {"temperature": 1})
    registry.create_device_type("pump")
    page = reverse("admin:devices_device_change", args=[device.pk])
    form = device_form(DeviceType.objects.get(slug="pump"), name="lost")
    answer = admin.post(page, form, follow=True)
    assert "has readings" in answer.content.decode()
    device.refresh_from_db()
    assert (device.name, device.device_type.slug) == ("First", "thermostat")


def test_a_type_with_devices_is_not_deleted(admin, device):
    answer = admin.post(
        reverse("admin:devices_devicetype_delete", args=[device.device_type.pk]), {"post": "yes"}, follow=True
    )
    assert answer.status_code == 200
    assert DeviceType.objects.exists()


def test_what_the_bridge_writes_can_only_be_looked_at(admin, db):
    assert admin.get(reverse("admin:devices_rejection_add")).status_code == 403
    assert admin.get(reverse("admin:devices_bridgereport_add")).status_code == 403
