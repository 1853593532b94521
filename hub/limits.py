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
MAX_COMMAND_ID_CHARS: Final = 64
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

# --- Presence ---------------------------------------------------------------------------
SILENT_AFTER_INTERVALS: Final = 2.5
SILENT_AFTER_MIN_S: Final = 10.0
RETAINED_OFFLINE_TRUSTED_AFTER_S: Final = 60.0
"""For a type without an expected interval: how old the newest reading must be before a retained
`offline` is believed."""

# --- Rejections -------------------------------------------------------------------------
REJECTION_WINDOW_MS: Final = 10 * 60_000
REJECTION_DETAIL_CHARS: Final = 300
REJECTION_METRICS_PER_DEVICE: Final = 100
"""Metrics of a device that get a row each for one reason in one batch; a payload of 64 KiB can hold
8,000 metrics that nobody knows, and writing as many rows would stop everybody else for seconds."""

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

MAX_STREAM_NAME_CHARS: Final = 64
MAX_DEVICES_PER_SUBSCRIPTION: Final = 1_000
CLIENT_MESSAGES_BURST: Final = 60
"""A page that comes back subscribes to all of its 50 streams at once."""

LIVE_TICK_S: Final = 1.0
"""How often a web process looks whether a socket's deadline, heartbeat or rights check is due."""

SUMMARY_REFRESH_S: Final = 2.0
"""How often a web process reads the rows of bridges and the list of types."""

RELAY_INBOX_FRAMES: Final = 1_000
RELAY_LOG_PAGE_FRAMES: Final = 200
RELAY_SOCKETS_PER_TURN: Final = 50
"""Sockets served before the loop turns: about 3 ms, so that what was written leaves meanwhile."""

WIRE_MAX_WAITING: Final = 200
"""Answers that wait for a socket's sender; who lets more pile up is not reading."""

LAYER_RETRY_S: Final = 1.0
LAYER_LEAVE_TIMEOUT_S: Final = 1.0
GOODBYE_S: Final = 0.1
"""How long a close frame gets to leave before the process ends."""

RELAY_RING_FRAMES: Final = 2_000
RELAY_RING_BYTES: Final = 32 * 1024 * 1024

# --- History ------------------------------------------------------------------------------
ROWS_PAGE_MAX: Final = 5_000
READ_POINTS_DEFAULT: Final = 1_000
READ_POINTS_MAX: Final = 10_000
SQLITE_BUSY_TIMEOUT_S: Final = 5.0
SQLITE_READ_CONNECTIONS: Final = 8
"""Readers at once; more wait for one of these. The default thread pool has about as many threads."""

SQLITE_CACHE_BYTES: Final = 32 * 1024 * 1024
"""Pages that the writer keeps: the newest page of each of some thousand devices."""

SQLITE_WAL_PAGES: Final = 16_000
"""Pages in the write-ahead log (64 MB) before they are copied into the file. Each reading of a batch
falls on its own device's page; a longer log copies a page once instead of at every batch."""

SQLITE_WAL_KEPT_BYTES: Final = 64 * 1024 * 1024
"""What remains of the write-ahead log on the disk after it had to grow longer."""

SQLITE_BULK_ROWS: Final = 512
"""Rows in one statement, a power of two: with nine columns well below SQLite's 32,766 parameters."""

SQLITE_STATEMENTS_CACHED: Final = 128
LATEST_CACHED_DEVICES: Final = 20_000
"""Latest values that the writer remembers, about 1 KB each; beyond it all are forgotten and read again."""

DELETE_SLICE_ROWS: Final = 2_000
"""Readings removed in one transaction, so that appends get their turn within some milliseconds."""

FRAME_LOG_PRUNE_FRAMES: Final = 2_000
"""Frames removed at most by one append; when more have expired the next append goes on."""

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
SIMULATOR_RECENT_S: Final = 600
"""The end of a filled-in past, at the live interval: what the shortest charts show at first sight."""

SIMULATOR_MAX_STEP_S: Final = 60.0
"""The longest step a model is asked to take; a longer pause is taken in several steps."""

SIMULATOR_OUTBOX_READINGS: Final = 1_000
"""Readings that a device keeps while it has no connection; beyond it the oldest is dropped and counted."""

SIMULATOR_INFLIGHT_MESSAGES: Final = 20
"""Unacknowledged messages of a device; above it readings wait in its outbox and leave as one array."""

SIMULATOR_CONNECT_TIMEOUT_S: Final = 10.0
SIMULATOR_REFUSED_RETRY_MIN_S: Final = 1.0
SIMULATOR_REFUSED_RETRY_MAX_S: Final = 30.0
"""A new password may reach the broker a second late; a wrong one does not become right by asking often."""

SIMULATOR_GOODBYE_S: Final = 2.5
"""How long all goodbyes together may take, so that Ctrl-C ends within 3 s."""

SIMULATOR_HTTP_ATTEMPTS: Final = 3
SIMULATOR_HTTP_TIMEOUT_S: Final = 15.0

# --- Accounts and REST ----------------------------------------------------------------------
SIGN_IN_LINK_VALID_S: Final = 24 * 3600
SIGN_IN_LINK_BYTES: Final = 32

MAX_REQUEST_BODY_BYTES: Final = 1024 * 1024
"""A JSON body over REST. The largest honest one, a type with 100 metrics, has about 20 KiB."""

MAX_REQUEST_DEPTH: Final = 20
"""Objects and arrays within each other in a JSON body; ours need three."""

MAX_LABELS_PER_DEVICE: Final = 50
MAX_LABEL_KEY_CHARS: Final = 64
MAX_LABEL_VALUE_CHARS: Final = 128
MAX_NAME_CHARS: Final = 100
MAX_DESCRIPTION_CHARS: Final = 2_000
MAX_UNIT_CHARS: Final = 20
MAX_PRECISION: Final = 10
MAX_RETENTION_DAYS: Final = 36_500
MIN_EXPECTED_INTERVAL_S: Final = 0.01
MAX_EXPECTED_INTERVAL_S: Final = 366 * 86_400.0
MAX_SEARCH_CHARS: Final = 100
MAX_TOKEN_GRACE_S: Final = 7 * 86_400
"""How long an old device token may stay valid beside the new one: a fleet that is updated by hand."""

READINGS_DEFAULT_RANGE_MS: Final = 24 * 3_600_000
PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 1_000
REJECTIONS_PAGE_SIZE: Final = 20
REJECTIONS_PAGE_SIZE_MAX: Final = 100
"""Smaller than other pages: a rejection carries its payload, up to 64 KiB."""

METRIC_DATA_DEVICES_PER_QUERY: Final = 1_000
"""Devices whose latest values are looked at in one query, when a metric is about to go."""

# --- Health -----------------------------------------------------------------------------------
HEALTH_CHECK_TIMEOUT_S: Final = 1.0
"""Each question of /readyz has this long; a prober gives up after a few seconds itself."""

# --- Embedded broker ------------------------------------------------------------------------
ACCOUNTS_POLL_S: Final = 0.5
"""How often brokers look for a registry change: a quarter of what a cut-off may take."""

MOSQUITTO_RENDER_EVERY_S: Final = 1.0
"""Mosquitto reads its files again at most this often, however fast devices are registered."""

MOSQUITTO_RENDER_ANYWAY_S: Final = 30.0
"""A token that expires changes the password file without a change of the registry."""

MOSQUITTO_QUEUE_PART_OF_MEMORY: Final = 8
MOSQUITTO_QUEUE_MIN_BYTES: Final = 64 * 1024 * 1024
MOSQUITTO_QUEUE_MAX_BYTES: Final = 1024 * 1024 * 1024
"""What Mosquitto may keep in memory for one client: an eighth of the machine's, within these."""

EMBEDDED_BRIDGE_QUEUE_BYTES: Final = 256 * 1024 * 1024
"""What waits in memory for a bridge that is away or slow: about an hour of 200 readings/s."""

EMBEDDED_DEVICE_QUEUE_BYTES: Final = 512 * 1024
"""What waits for one device: a few hundred commands."""

EMBEDDED_MESSAGE_OVERHEAD_BYTES: Final = 350
"""What Python needs for a queued message besides its topic and payload."""

EMBEDDED_RETAINED_BYTES: Final = 64 * 1024 * 1024
"""All retained messages together; a device may retain one a type segment, and nobody counts those."""

EMBEDDED_WRITE_BACKLOG_BYTES: Final = 1024 * 1024
"""Above this a client that does not read its acknowledgements is not read from, and gets no QoS 0."""

EMBEDDED_SUBSCRIPTIONS: Final = 50
"""Topic filters a client; a device needs two, a bridge four."""

EMBEDDED_INBOUND_QOS2: Final = 100
"""Messages of QoS 2 that a client may have begun and not released."""

EMBEDDED_VERIFIED_TOKENS: Final = 20_000
"""Tokens whose (slow) hash need not be computed again."""

EMBEDDED_OPEN_FILES: Final = 10_000
"""Connections that the embedded broker asks the system to allow it; macOS refuses more."""

EMBEDDED_CONNECT_WITHIN_S: Final = 10.0
"""A connection that has not said who it is by then is closed."""

EMBEDDED_KEEPALIVE_FACTOR: Final = 1.5
"""MQTT 3.1.1: a client is gone after one and a half times its keep-alive."""

EMBEDDED_FLUSH_S: Final = 0.5
"""How long a closed connection may still take to send what was written to it."""

BROKER_START_WITHIN_S: Final = 20.0
BROKER_STOP_WITHIN_S: Final = 4.0
"""How long a broker child may take to end by itself before it is killed."""
