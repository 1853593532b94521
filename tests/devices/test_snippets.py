import json
import shlex

import pytest

from devices.models import Metric
from devices.mqtt import device_coordinates
from devices.snippets import mosquitto_pub, sample_values


def test_the_line_names_everything_that_the_broker_asks_for(settings):
    settings.HUB_PUBLIC_MQTT_URL = "mqtt://hub.example:1884"
    mqtt = device_coordinates("thermostat", "t1")
    line = mosquitto_pub(mqtt, [Metric(key="temperature", kind="number")], "-to$ken")
    assert shlex.split(line) == [
        *("mosquitto_pub", "-h", "hub.example", "-p", "1884", "-i", "t1", "-u", "t1", "-P", "-to$ken"),
        *("-q", "1", "-t", "devices/thermostat/t1/telemetry", "-m", '{"temperature": 21.5}'),
    ]


def test_a_broker_with_tls_is_checked_by_the_certificates_of_the_system(settings):
    settings.HUB_PUBLIC_MQTT_URL = "mqtts://hub.example"
    line = mosquitto_pub(device_coordinates("thermostat", "t1"), [], "token")
    assert "-p 8883 --tls-use-os-certs" in line
    assert json.loads(shlex.split(line)[-1]) == {"value": 1.0}


@pytest.mark.parametrize(("low", "high"), [(None, None), (0, 1), (100, None), (None, -10), (-1, 0)])
def test_sample_numbers_are_within_the_limits_of_their_metric(low, high):
    value = sample_values([Metric(key="x", kind="number", minimum=low, maximum=high)])["x"]
    assert isinstance(value, int | float)
    assert low is None or value >= low
    assert high is None or value <= high


def test_samples_have_the_kind_of_their_metric_and_are_few():
    metrics = [Metric(key="a", kind="boolean"), Metric(key="b", kind="text")]
    assert sample_values(metrics) == {"a": True, "b": "text"}
    assert len(sample_values([Metric(key=f"m{number}", kind="number") for number in range(9)])) == 3
