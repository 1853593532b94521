"""The stores."""

from typing import Final

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
