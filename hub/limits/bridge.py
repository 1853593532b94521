"""Batches, back-pressure, retries, presence and rejections."""

from typing import Final

# --- Bridge ---
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

INBOX_MAX_BYTES: Final = 64 * 1024 * 1024
INBOX_RESUME_BYTES: Final = 32 * 1024 * 1024
"""The same by size: some thousand messages of what a broker lets through would be a gigabyte."""

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
BRIDGE_STOP_WITHIN_S: Final = 3.0
"""How long the step under way may take when a bridge ends; what it does not finish comes again."""

SILENCE_CHECK_EVERY_S: Final = 1.0
BRIDGE_REPORT_EVERY_S: Final = 1.0
BRIDGE_ROW_EVERY_S: Final = 2.0
BRIDGE_ROW_STALE_MS: Final = 6_000
BRIDGE_GROUP_SILENT_MS: Final = 3_000

END_PART_WITHIN_S: Final = 5.0
"""How long each part of runhub may take to end; a second Ctrl-C is not heard meanwhile."""

SIMULATORS_RESTART_MAX_S: Final = 30.0

# --- One bridge at a time ---
LEASE_RENEW_EVERY_S: Final = 2.0
LEASE_EXPIRES_S: Final = 6.0
"""Three renewals: a holder that was not heard for so long is replaced."""

LEASE_LOOK_EVERY_S: Final = 0.5
"""How often a standby looks; with what it takes to connect, it has taken over within 8 s."""

LEASE_RETRY_S: Final = 0.5
LEASE_RELEASE_WITHIN_S: Final = 1.0
LINK_STALLED_AFTER_MS: Final = 3_000
"""A loop that looks at its link once a second and did not for so long was frozen, and heard nobody."""

# --- Presence ---
SILENT_AFTER_INTERVALS: Final = 2.5
SILENT_AFTER_MIN_S: Final = 10.0
RETAINED_OFFLINE_TRUSTED_AFTER_S: Final = 60.0
"""For a type without an expected interval: how old the newest reading must be before a retained
`offline` is believed."""

# --- Rejections ---
REJECTION_WINDOW_MS: Final = 10 * 60_000
REJECTION_DETAIL_CHARS: Final = 300
REJECTION_METRICS_PER_DEVICE: Final = 100
"""Metrics of a device that get a row each for one reason in ten minutes; a payload of 64 KiB can hold
8,000 metrics that nobody knows, and writing as many rows would stop everybody else for seconds."""

REPLAYABLE_PER_DEVICE: Final = 50
"""Newest rejections of a device whose payloads may be taken once more."""

REPLAY_EVERY_S: Final = 1.0
REPLAYS_PER_LOOK: Final = 20
"""Each is a transaction of its own; messages wait meanwhile."""

# --- Flood ---
RATE_LIMIT_PER_S: Final = 500
RATE_LIMIT_DEPTH: Final = 5_000
"""Messages of one device a second, and how many may come at once after a quiet time."""

BACKLOG_AT_LEAST_MS: Final = 1_000
"""An inbox found empty sooner after the first message of a connection does not end the backlog:
the broker has only begun to send it."""

# --- Clocks ---
CLOCK_WINDOW_MS: Final = 30_000
CLOCK_WINDOW_READINGS: Final = 5
"""A clock is judged by at least so many live readings over at least so long: a device that empties its
own buffer one by one is over it by then."""

CLOCK_CHANGE_MS: Final = 1_000
"""An estimate is written when it differs from the written one by more than this."""

CLOCK_SHOWN_ABOVE_MS: Final = 2_000
"""Below it a clock counts as right: devices that send whole seconds are up to one behind."""
