"""Bodies and answers as the API's page shows them."""

from drf_spectacular.utils import OpenApiExample

_BODY = {
    "id": "greenhouse-1",
    "device_type": "thermostat",
    "name": "Greenhouse, north wall",
    "labels": {"site": "north"},
    "enabled": True,
    "latitude": 52.52,
    "longitude": 13.405,
}
_NEW = {
    **_BODY,
    "state": "never",
    "since": None,
    "because": None,
    "clock_skew_ms": None,
    "created_at": "2026-11-22T07:20:00.000Z",
}
_TELEMETRY = "devices/thermostat/greenhouse-1/telemetry"
_TOKEN = "hWq0T3cK9yq8xH0mXxv3T1nqk8yVdJcE0jz6vQ4mB2s"  # noqa: S105 - nobody's

NEW_DEVICE = OpenApiExample("a new device", _BODY, request_only=True)
DEVICE = OpenApiExample(
    "a device",
    {**_NEW, "state": "online", "since": "2026-11-22T07:21:03.120Z", "because": "reading"},
    response_only=True,
)
CREATED = OpenApiExample(
    "registered",
    {
        **_NEW,
        "token": _TOKEN,
        "mqtt": {
            "host": "localhost",
            "port": 1883,
            "tls": False,
            "username": "greenhouse-1",
            "topics": {
                "telemetry": _TELEMETRY,
                "status": "devices/thermostat/greenhouse-1/status",
                "commands": "devices/thermostat/greenhouse-1/commands/+",
                "replies": "devices/thermostat/greenhouse-1/replies/{id}",
                "rejections": "devices/thermostat/greenhouse-1/rejections",
            },
        },
        "mosquitto_pub": f"mosquitto_pub -h localhost -p 1883 -i greenhouse-1 -u greenhouse-1 -P {_TOKEN} "
        f"-q 1 -t {_TELEMETRY} -m '{{\"temperature\": 21.5}}'",
    },
    response_only=True,
    status_codes=["201"],
)
