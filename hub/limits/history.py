"""The stores."""

from typing import Final

ROWS_PAGE_MAX: Final = 5_000
READ_POINTS_DEFAULT: Final = 1_000
READ_POINTS_MAX: Final = 10_000
READ_SPARSE_ROWS: Final = 5_000
"""Readings looked at for rare values of a metric before buckets are made of rollups instead, about 15 ms."""

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

FRAME_LOG_PRUNE_FRAMES: Final = 2_000
"""Frames removed at most by one append; when more have expired the next append goes on."""

POSTGRES_CONNECT_TIMEOUT_S: Final = 5.0
"""How long a connection is waited for, a new one or one of the pool's."""

POSTGRES_LOCK_TIMEOUT_S: Final = 5.0
POSTGRES_SILENCE_S: Final = 10.0
"""A server that answers nothing for so long is taken for gone (on the TCP connection)."""

POSTGRES_IDLE_TRANSACTION_S: Final = 30.0
"""The server ends a transaction whose process says nothing, so that its locks do not stay."""

POSTGRES_READ_CONNECTIONS: Final = 8
"""Readers at once in a process; more wait for one of these."""

READING_PARTITION_MS: Final = 7 * 24 * 3_600_000
"""One partition of readings: a year has 53 of them, and each query plans over them in under 1 ms."""

READING_PARTITIONS_BACK_MS: Final = 2 * 366 * 24 * 3_600_000
"""Older readings than this lie together, so that odd times do not make partitions without end."""

READING_PARTITIONS_AHEAD_MS: Final = READING_PARTITION_MS
FRAME_PARTITION_MS: Final = 5 * 60_000

# --- Housekeeping ---
SLICE_AIM_S: Final = 0.015
"""What one transaction of housekeeping should take: with a slow moment well below the 50 ms for which
it may hold the writer."""

SLICE_GROWTH: Final = 1.5
"""By how much the next one may be larger at most."""

SLICE_PAUSE_MIN_S: Final = 0.002
"""After each slice it rests as long as the slice took, and at least this."""

SLICES_A_CHECKPOINT: Final = 8
"""Slices between two checkpoints: at most about 30 MB of changes, half of what the log may hold."""

DELETE_SLICE_ROWS: Final = 2_000
DELETE_SLICE_ROWS_MAX: Final = 30_000
"""Readings removed in the first transaction, and at most in one."""

CLOSE_SLICE: Final = 200
CLOSE_SLICE_MAX: Final = 5_000
"""Devices whose old hours are closed in one transaction, before their readings go."""

DELETE_PIECES_SLICE: Final = 100
DELETE_PIECES_SLICE_MAX: Final = 5_000
"""The same for rows of rollups, of up to some KB each."""

ROLL_DAYS_SLICE: Final = 4
ROLL_DAYS_SLICE_MAX: Final = 200
"""Days of devices in which rollups are written by one transaction; each is packed again, about 1 ms."""

ROLL_MARKS_SLICE: Final = 1_000
ROLL_MARKS_SLICE_MAX: Final = 20_000
"""Hours of devices marked as due in one transaction."""

ROLL_HOURS_LISTED: Final = 20_000
"""Dirty hours that one call of roll takes up; when there are more the next call goes on."""

HOUSEKEEPING_EVERY_S: Final = 60.0
HOUSEKEEPING_FIRST_S: Final = 10.0
"""After its start: a hub that starts has better things to do."""

ROLL_AFTER_MS: Final = 2 * 60_000
"""An hour is rolled up so long after its end: what comes later makes it dirty, and it is done again."""

ROLL_STEP_S: Final = 1.0
ROUND_ROLL_S: Final = 20.0
"""Of each minute at most this is spent on rolling up; the rest waits for the next round."""

MINUTES_KEPT_MS: Final = 396 * 86_400_000
"""1 min rollups: 13 months, so that a month can be compared with the same one a year before."""

HOURS_KEPT_MS: Final = 1_827 * 86_400_000
"""1 h rollups: 5 years."""
