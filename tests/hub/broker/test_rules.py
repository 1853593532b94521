import pytest

from hub.broker.rules import Action, may

OWN = "devices/thermostat/d1"


@pytest.mark.parametrize(
    ("username", "action", "topic", "allowed"),
    [
        ("d1", "write", f"{OWN}/telemetry", True),
        ("d1", "write", f"{OWN}/status", True),
        ("d1", "write", f"{OWN}/replies/42", True),
        ("d1", "write", "devices/another-type/d1/telemetry", True),
        ("d1", "write", f"{OWN}/replies", False),
        ("d1", "write", f"{OWN}/replies/42/more", False),
        ("d1", "write", f"{OWN}/commands/42", False),
        ("d1", "write", f"{OWN}/rejections", False),
        ("d1", "write", "devices/thermostat/d2/telemetry", False),
        ("d1", "write", "devices/thermostat/d1x/telemetry", False),
        ("d1", "write", "hub/alive", False),
        ("d1", "write", "telemetry", False),
        ("d1", "read", f"{OWN}/commands/+", True),
        ("d1", "read", f"{OWN}/commands/#", True),
        ("d1", "read", "devices/+/d1/commands/#", True),
        ("d1", "read", f"{OWN}/rejections", True),
        ("d1", "read", f"{OWN}/telemetry", False),
        ("d1", "read", f"{OWN}/#", False),
        ("d1", "read", f"{OWN}/+", False),
        ("d1", "read", "devices/thermostat/+/commands/+", False),
        ("d1", "read", "devices/thermostat/d2/rejections", False),
        ("d1", "read", "devices/#", False),
        ("d1", "read", "#", False),
        ("d1", "read", "$SYS/#", False),
        ("hub.bridge", "read", "devices/+/+/telemetry", True),
        ("hub.bridge", "read", "devices/#", True),
        ("hub.bridge", "read", "$SYS/broker/publish/messages/dropped", True),
        ("hub.bridge", "read", "$SYS/#", False),
        ("hub.bridge", "read", "#", False),
        ("hub.bridge.second", "read", "devices/+/+/status", True),
        ("hub.bridge", "write", f"{OWN}/commands/42", True),
        ("hub.bridge", "write", f"{OWN}/rejections", True),
        ("hub.bridge", "write", "hub/alive", True),
        ("hub.bridge", "write", f"{OWN}/telemetry", False),
        ("hub.bridge", "write", f"{OWN}/status", False),
        ("hub.bridge.Bad Slot", "read", "devices/#", False),
    ],
)
def test_who_may_use_which_topic(username: str, action: Action, topic: str, allowed: bool):
    assert may(username, action, topic) is allowed
