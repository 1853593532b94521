import pytest

from devices import registry
from devices.models import Device, DeviceState
from devices.presence_of import NEVER, Presence, in_state, presence_of

pytestmark = pytest.mark.django_db


def moved(device, state, since_ms, because="reading"):
    DeviceState.objects.create(device=device, state=state, since_ms=since_ms, because=because)


def test_the_newest_transition_is_the_state_whatever_its_time(device):
    moved(device, "online", 2000)
    moved(device, "silent", 1000, "no_reading")
    assert presence_of([device.pk]) == {device.pk: Presence("silent", 1000, "no_reading")}


def test_a_device_without_transitions_was_never_heard_of(device):
    assert presence_of([device.pk]) == {device.pk: NEVER}


def test_many_devices_cost_one_query(thermostat, django_assert_num_queries):
    devices = [registry.create_device(f"d{number}", "thermostat")[0] for number in range(5)]
    for device in devices[1:]:
        moved(device, "online", 1)
        moved(device, "offline", 2, "status")
    with django_assert_num_queries(1):
        found = presence_of(device.pk for device in devices)
    assert found.pop(devices[0].pk) == NEVER
    assert set(found.values()) == {Presence("offline", 2, "status")}


def test_nobody_is_asked_about_no_device(db):
    assert presence_of([]) == {}


def test_devices_are_found_by_their_newest_state_only(device):
    moved(device, "online", 1)
    moved(device, "silent", 2)
    assert not in_state(Device.objects.all(), "online").exists()
    assert in_state(Device.objects.all(), "silent").get() == device
    assert not in_state(Device.objects.all(), "never").exists()
