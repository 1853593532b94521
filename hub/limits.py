"""Every number that bounds something: named, with its unit and the reason for it.

Nothing is imported here, so every room may read it. Times say their unit in their name,
sizes are bytes unless they say otherwise.
"""

from typing import Final

# --- What a device may send (design 4.2) -----------------------------------------------
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

# --- Names ------------------------------------------------------------------------------
MAX_DEVICE_ID_CHARS: Final = 64
MAX_TYPE_SLUG_CHARS: Final = 48
MAX_METRIC_KEY_CHARS: Final = 64
MAX_METRICS_PER_TYPE: Final = 100

# --- Bridge -----------------------------------------------------------------------------
BATCH_MAX_MESSAGES: Final = 1_000
BATCH_MAX_READINGS: Final = 5_000
"""A message is never split, so a batch may exceed this by one message less one reading."""

TICK_SLOW_S: Final = 0.025
TICK_FAST_S: Final = 0.050
TICK_FAST_ABOVE_ROWS_PER_S: Final = 1_000
"""Above this rate a longer tick costs nobody anything visible and halves the commits."""

INBOX_MAX_MESSAGES: Final = 4_000
INBOX_RESUME_MESSAGES: Final = 2_000
"""When the inbox is full the socket's reader is removed until it has drained to here."""

BROKER_WINDOW_MESSAGES: Final = 4_000
"""`max_inflight_messages` of our mosquitto.conf: two to four batches, so that acknowledging after
a commit never waits for the broker's timer."""

BURST_MAX_PACKETS: Final = 100
"""Packets read at one wake-up of the bridge's socket before others on the loop get their turn."""

MQTT_KEEPALIVE_S: Final = 30
RECONNECT_MIN_S: Final = 0.5
RECONNECT_MAX_S: Final = 30.0
REGISTRY_MAX_AGE_S: Final = 1.0
UNKNOWN_DEVICE_CACHE_S: Final = 1.0
UNKNOWN_DEVICE_CACHE_SIZE: Final = 10_000
STORE_RETRY_MIN_S: Final = 0.2
STORE_RETRY_MAX_S: Final = 5.0
FORWARD_QUEUE_FRAMES: Final = 1_000
"""Frames waiting for the channel layer; beyond it the oldest is dropped: the frame log repairs."""

FORWARD_TIMEOUT_S: Final = 2.0
BRIDGE_REPORT_EVERY_S: Final = 1.0
BRIDGE_ROW_EVERY_S: Final = 2.0
BRIDGE_ROW_STALE_MS: Final = 6_000
BRIDGE_GROUP_SILENT_MS: Final = 3_000

# --- Presence ---------------------------------------------------------------------------
SILENT_AFTER_INTERVALS: Final = 2.5
SILENT_AFTER_MIN_S: Final = 10.0
RETAINED_OFFLINE_TRUSTED_AFTER_S: Final = 60.0
"""For a type without an expected interval: how old the newest reading must be before a retained
`offline` is believed."""

# --- Rejections -------------------------------------------------------------------------
REJECTION_WINDOW_MS: Final = 10 * 60_000
REJECTION_DETAIL_CHARS: Final = 300

# --- Frames and the frame log -------------------------------------------------------------
FRAME_MAX_ROWS: Final = 500
FRAME_MAX_BYTES: Final = 64 * 1024
FRAME_LOG_KEPT_MS: Final = 15 * 60_000
FRAME_LOG_PRUNE_EVERY_MS: Final = 10_000
HEADS_KEPT_MS: Final = 7 * 24 * 3_600_000

# --- WebSocket ----------------------------------------------------------------------------
MAX_UNACKED_FRAMES: Final = 8
UNACKED_CLOSE_AFTER_S: Final = 30.0
MERGE_WHEN_BEHIND_S: Final = 2.0
MAX_STREAMS_PER_SOCKET: Final = 50
CLIENT_MESSAGE_MAX_BYTES: Final = 64 * 1024
CLIENT_MESSAGES_PER_S: Final = 20
ACKS_PER_STREAM_PER_S: Final = 10
AUTHENTICATE_WITHIN_S: Final = 10.0
RIGHTS_CHECK_EVERY_S: Final = 30.0
HEARTBEAT_EVERY_S: Final = 5.0
SUMMARY_EVERY_S: Final = 1.0
SNAPSHOT_DEVICES_PER_PART: Final = 1_000
RELAY_HEADS_EVERY_S: Final = 5.0
RELAY_HEADS_EVERY_WITHOUT_LAYER_S: Final = 1.0
RELAY_LINGER_S: Final = 300.0
"""How long a relay nobody watches stays: a reload of the page should find it warm."""

RELAY_RING_FRAMES: Final = 2_000
RELAY_RING_BYTES: Final = 32 * 1024 * 1024

# --- History ------------------------------------------------------------------------------
ROWS_PAGE_MAX: Final = 5_000
READ_POINTS_DEFAULT: Final = 1_000
READ_POINTS_MAX: Final = 10_000
SQLITE_BUSY_TIMEOUT_S: Final = 5.0

# --- Devices ------------------------------------------------------------------------------
DEVICE_TOKEN_BYTES: Final = 32
KICK_WITHIN_S: Final = 2.0
"""A disabled or deleted device is off the embedded broker within this."""

# --- Simulators ---------------------------------------------------------------------------
SIMULATOR_REGISTER_CONCURRENCY: Final = 8
"""REST requests under way at once: enough to hide latency, too few to trouble a small hub."""

SIMULATOR_CONNECT_CONCURRENCY: Final = 8
"""Sign-ins under way at once: the embedded broker takes about 4 ms for each."""

SIMULATOR_BACKFILL_CONCURRENCY: Final = 4
"""Devices that send their past at once, so that the live readings of the others get through."""

SIMULATOR_BACKFILL_EVERY_S: Final = 60
SIMULATOR_MAX_STEP_S: Final = 60.0
"""The longest step a model is asked to take; a longer pause is taken in several steps."""

SIMULATOR_OUTBOX_READINGS: Final = 1_000
"""Readings that a device keeps while it has no connection; beyond it the oldest is dropped and counted."""

SIMULATOR_INFLIGHT_MESSAGES: Final = 20
"""Unacknowledged messages of a device; above it readings wait in its outbox and leave as one array."""

SIMULATOR_CONNECT_TIMEOUT_S: Final = 10.0
SIMULATOR_REFUSED_RETRY_S: Final = 30.0
"""A wrong password does not become right by asking twice a second."""

SIMULATOR_GOODBYE_S: Final = 2.5
"""How long all goodbyes together may take, so that Ctrl-C ends within 3 s."""

SIMULATOR_HTTP_ATTEMPTS: Final = 3
SIMULATOR_HTTP_TIMEOUT_S: Final = 15.0
