"""The wall clock as every wire tells it."""

import time


def now_ms() -> int:
    """Unix milliseconds, UTC."""
    return time.time_ns() // 1_000_000
