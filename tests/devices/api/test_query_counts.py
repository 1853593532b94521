"""A list of many costs as many queries as a list of one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices import registry
from devices.models import DeviceClock, DeviceState, Rejection, Replay


def queries(api, path) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(path).status_code == 200
    return len(captured)


def one_more(number: int) -> None:
    registry.create_device_type(f"type-{number}", metrics=[{"key": "a"}, {"key": "b"}])
    device, _ = registry.create_device(f"d{number}", f"type-{number}", labels={"a": "1", "b": "2"})
    DeviceState.objects.create(device=device, state="online", since_ms=1, because="reading")
    DeviceClock.objects.create(device=device, skew_ms=5_000, at_ms=1)
    rejection = Rejection.objects.create(
        device=device,
        uid=device.uid,
        device_type="x",
        reason="r",
        window_ms=1,
        payload=b"",
        first_ms=1,
        last_ms=1,
    )
    Replay.objects.create(rejection=rejection, payload=b"", arrived_ms=1, requested_ms=1)


@pytest.mark.parametrize(
    "path", ["devices/", "device-types/", "rejections/", "devices/?state=online&label=a:1"]
)
def test_a_list_asks_a_constant_number_of_questions(api, path):
    one_more(0)
    of_one = queries(api, path)
    for number in range(1, 15):
        one_more(number)
    assert queries(api, path) == of_one
    assert of_one <= 8
