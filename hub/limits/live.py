"""Frames, the frame log, relays and sockets."""

from typing import Final

# --- Frames and the frame log ---
FRAME_MAX_ROWS: Final = 500
FRAME_MAX_BYTES: Final = 64 * 1024
FRAME_LOG_KEPT_MS: Final = 15 * 60_000
FRAME_LOG_PRUNE_EVERY_MS: Final = 10_000
HEADS_KEPT_MS: Final = 7 * 24 * 3_600_000

# --- WebSocket ---
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
