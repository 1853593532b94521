"""Refusals told to the device itself: the newest, at most once a second, with how many there were."""

import json
from typing import Any, cast

from hub.bridge.intake import refuse_topic
from hub.bridge.mqtt import Link
from hub.bridge.telling import Telling
from tests.hub.bridge.parts import NOW_MS, T2, message, refusal


class Ear:
    """What was published."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, json.loads(payload)))


def test_a_device_is_told_at_once_and_then_once_a_second():
    ear = Ear()
    telling = Telling(cast("Link", ear))
    telling.tell([refusal("not_json")], NOW_MS)
    telling.tell([refusal("bad_shape")] * 3, NOW_MS + 10)
    telling.tell([refusal("bad_shape"), refusal("too_large")], NOW_MS + 999)
    telling.tell([refusal("no_values")], NOW_MS + 1_000)
    topic = "devices/thermostat/t1/rejections"
    assert ear.heard == [
        (topic, {"reason": "not_json", "detail": "a sentence", "count": 1}),
        (topic, {"reason": "no_values", "detail": "a sentence", "count": 6}),
    ]


def test_devices_are_told_apart():
    ear = Ear()
    Telling(cast("Link", ear)).tell([refusal(), refusal(device=T2), refusal("bad_shape")], NOW_MS)
    assert [(topic.split("/")[2], body["reason"], body["count"]) for topic, body in ear.heard] == [
        ("t1", "bad_shape", 2),
        ("t2", "not_json", 1),
    ]


def test_nobody_is_told_when_nobody_is_known():
    ear = Ear()
    Telling(cast("Link", ear)).tell(refuse_topic(message(b"", None)).refusals, NOW_MS)
    assert ear.heard == []
