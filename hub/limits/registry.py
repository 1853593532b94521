"""Registry, accounts, REST and health."""

from typing import Final

# --- Devices ---
DEVICE_TOKEN_BYTES: Final = 32
KICK_WITHIN_S: Final = 2.0
"""A disabled or deleted device is off the embedded broker within this."""

# --- Accounts and REST ---
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

# --- Health ---
HEALTH_CHECK_TIMEOUT_S: Final = 1.0
"""Each question of /readyz has this long; a prober gives up after a few seconds itself."""

DATABASE_CONNECTIONS: Final = 20
"""Connections to PostgreSQL for the registry in one process at most; a server allows 100 by default."""

DATABASE_TIMEOUT_S: Final = 5.0
"""How long a connection to PostgreSQL is waited for, a new one or one of the pool's."""

# --- Housekeeping ---
PURGE_EVERY_S: Final = 5.0
PURGE_AFTER_S: Final = 10
"""After a deletion: every bridge has looked at the registry by then, and its batch under way is stored."""

PURGE_AGAIN_AFTER_S: Final = 70
PURGE_WATCHED_S: Final = 86_400
"""For so long readings that still came to a deleted device are found: of a bridge whose history was away."""

TOMBSTONES_KEPT_S: Final = 30 * 86_400
"""Much longer than the 7 days for which the bridges' frames can be resumed."""

REJECTIONS_KEPT_MS: Final = 30 * 86_400_000
REJECTIONS_KEPT_ROWS: Final = 50_000
"""Rows of all devices together: with whole payloads 3 GB at the very worst, some 10 MB as a rule."""

STATES_KEPT_MS: Final = 396 * 86_400_000
"""Transitions of presence: 13 months, as long as the 1 min rollups beside which they are shown."""

REMOVED_AT_ONCE: Final = 500
"""Rows of the registry in one transaction, some milliseconds."""
