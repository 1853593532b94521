import datetime as dt

import pytest
from django.utils import timezone

from devices import registry
from devices.credentials import matches
from devices.models import Device
from devices.registry import RegistryConflictError

pytestmark = pytest.mark.django_db


def accepted(device: Device, token: str) -> bool:
    return any(matches(token, credential.token_hash) for credential in device.credentials.all())


def test_a_new_device_gets_a_token_of_which_only_the_hash_is_kept(thermostat):
    device, token = registry.create_device("t1", "thermostat")
    kept = device.credentials.get()
    assert token not in kept.token_hash
    assert matches(token, kept.token_hash)


def test_a_new_token_ends_the_one_before(thermostat):
    device, old = registry.create_device("t1", "thermostat")
    new = registry.issue_token(device)
    assert accepted(device, new)
    assert not accepted(device, old)
    assert device.credentials.count() == 1


def test_a_new_token_is_a_change_of_the_device(device):
    registry.issue_token(device)
    device.refresh_from_db()
    assert device.version == registry.current_version() == 3


@pytest.mark.parametrize("broker", ["embedded", "emqx"])
def test_with_grace_the_old_token_works_a_while_beside_the_new_one(thermostat, settings, broker):
    settings.HUB_BROKER = broker
    device, old = registry.create_device("t1", "thermostat")
    new = registry.issue_token(device, grace_s=60)
    assert accepted(device, old)
    assert accepted(device, new)
    expiring = device.credentials.exclude(expires_at=None).get()
    assert expiring.expires_at is not None
    assert dt.timedelta(0) < expiring.expires_at - timezone.now() <= dt.timedelta(seconds=60)


def test_a_device_has_never_more_than_two_tokens(thermostat):
    device, first = registry.create_device("t1", "thermostat")
    second = registry.issue_token(device, grace_s=60)
    third = registry.issue_token(device, grace_s=60)
    assert [accepted(device, token) for token in (first, second, third)] == [False, True, True]


def test_a_token_without_grace_ends_those_that_were_on_their_way_out(thermostat):
    device, _ = registry.create_device("t1", "thermostat")
    registry.issue_token(device, grace_s=60)
    last = registry.issue_token(device)
    assert accepted(device, last)
    assert device.credentials.count() == 1


@pytest.mark.parametrize("broker", ["mosquitto", "open"])
def test_a_broker_with_one_password_a_device_refuses_an_overlap(thermostat, settings, broker):
    settings.HUB_BROKER = broker
    device, old = registry.create_device("t1", "thermostat")
    with pytest.raises(RegistryConflictError) as caught:
        registry.issue_token(device, grace_s=60)
    assert (caught.value.code, caught.value.attr) == ("overlap_not_supported", "grace_s")
    assert broker in caught.value.detail
    assert accepted(device, old)
