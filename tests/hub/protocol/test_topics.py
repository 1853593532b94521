"""Topics are built and taken apart in one place, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol import topics
from hub.protocol.topics import DeviceTopic, parse

device_ids = st.from_regex(topics.DEVICE_ID_PATTERN, fullmatch=True)
type_slugs = st.from_regex(topics.TYPE_SLUG_PATTERN, fullmatch=True)


@given(type_slugs, device_ids)
def test_what_is_built_is_taken_apart_again(slug: str, device_id: str):
    assert parse(topics.telemetry(slug, device_id)) == DeviceTopic(slug, device_id, "telemetry")
    assert parse(topics.status(slug, device_id)) == DeviceTopic(slug, device_id, "status")
    assert parse(topics.reply(slug, device_id, "c-1")) == DeviceTopic(slug, device_id, "replies", "c-1")


@given(type_slugs, device_ids)
def test_what_the_hub_sends_is_never_taken_for_something_from_a_device(slug: str, device_id: str):
    assert parse(topics.command(slug, device_id, "c-1")) is None
    assert parse(topics.rejections(slug, device_id)) is None


@given(st.text(max_size=80))
def test_parsing_never_raises(topic: str):
    parsed = parse(topic)
    assert parsed is None or topics.base(parsed.device_type, parsed.device_id) in topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "devices",
        "devices/thermostat/t1",
        "devices/thermostat/t1/telemetry/",
        "devices/thermostat/t1/telemetry\n",
        "/devices/thermostat/t1/telemetry",
        "devices/Thermostat/t1/telemetry",
        "devices//t1/telemetry",
        "devices/thermostat//telemetry",
        "devices/thermostat/-t1/telemetry",
        "devices/thermostat/t.1/telemetry",
        "devices/thermostat/+/telemetry",
        "devices/thermostat/hub.bridge/telemetry",
        "devices/thermostat/t١/telemetry",
        "devices/thermostat/t1/replies",
        "devices/thermostat/t1/replies/",
        f"devices/thermostat/{'d' * 65}/telemetry",
        f"devices/{'t' * 49}/t1/telemetry",
        f"devices/thermostat/t1/replies/{'c' * 65}",
    ],
)
def test_what_no_device_may_use_is_none(topic: str):
    assert parse(topic) is None


def test_the_longest_topic_of_a_device_is_as_long_as_said():
    longest = topics.reply("t" * 48, "d" * 64, "c" * 64)
    assert parse(longest) is not None
    assert len(longest) == topics.MAX_TOPIC_CHARS
