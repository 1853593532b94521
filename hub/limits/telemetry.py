"""What devices may send and how things may be called (design 4.2)."""

from typing import Final

# --- What a device may send (design 4.2) ---
MAX_PAYLOAD_BYTES: Final = 64 * 1024
"""One telemetry payload; above this the whole message is `too_large`."""

MAX_PACKET_BYTES: Final = 256 * 1024
"""What a broker lets through. More than the hub accepts, so that `too_large` is seen by the hub
and told to the owner instead of ending in a device that reconnects for ever."""

MAX_READINGS_PER_MESSAGE: Final = 1_000
MAX_TEXT_CHARS: Final = 256
MAX_ABS_NUMBER: Final = 1e15
"""Beyond it neighbouring integers are no longer distinct in a double with one decimal place."""

MAX_SEQ: Final = 2**53 - 1
"""The largest integer that JavaScript, and so every browser, holds exactly."""

SECONDS_BELOW: Final = 1e11
"""A `ts` below this is seconds, otherwise milliseconds: 1e11 s is the year 5138, 1e11 ms is 1973."""

FUTURE_TOLERANCE_MS: Final = 10 * 60_000
"""How far ahead of the hub a device's clock may be before its reading is refused."""

MAX_OPEN_HOLES: Final = 64
"""Gaps in `seq` that are remembered for a device, so that late arrivals can close them."""

# --- Names ---
MAX_DEVICE_ID_CHARS: Final = 64
MAX_TYPE_SLUG_CHARS: Final = 48
MAX_METRIC_KEY_CHARS: Final = 64
MAX_COMMAND_ID_CHARS: Final = 64
MAX_METRICS_PER_TYPE: Final = 100
