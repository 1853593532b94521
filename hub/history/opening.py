"""Which store an address names, and the one this process uses."""

import functools
from pathlib import Path

from django.conf import settings

from hub.history.sqlite import SqliteStore
from hub.history.store import HistoryStore


def open_history(url: str, frame_log_mb: int) -> HistoryStore:
    """The store at `sqlite:///PATH`, prepared. ValueError for another scheme."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite":
        raise ValueError(f"HUB_HISTORY_URL: no store for {scheme}://; sqlite:///PATH is one.")
    store = SqliteStore(Path(path), frame_log_bytes=frame_log_mb * 1024 * 1024)
    store.prepare()
    return store


@functools.cache
def get_history() -> HistoryStore:
    """The store that HUB_HISTORY_URL names, opened at first use and shared by this process."""
    return open_history(settings.HUB_HISTORY_URL, settings.HUB_FRAME_LOG_MB)
