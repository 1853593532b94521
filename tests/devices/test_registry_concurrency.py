"""Writers wait for each other: with real connections, a thread each."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from devices import registry
from devices.models import Device


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_each_get_a_version_of_their_own(thermostat):
    def create(number: int) -> int:
        try:
            return registry.create_device(f"t{number}", "thermostat")[0].version
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(create, range(12)))
    assert sorted(versions) == list(range(2, 14))
    assert registry.current_version() == 13
    assert Device.objects.count() == 12


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_an_id_at_once_one_is_told_that_it_is_taken(thermostat):
    def create(_: int) -> str:
        try:
            registry.create_device("t1", "thermostat")
        except registry.RegistryConflictError as error:
            return error.code
        finally:
            connection.close()
        return "created"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(create, range(2))) == ["already_exists", "created"]
