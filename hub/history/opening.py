"""Which store an address names, and the one this process uses."""

import functools
from pathlib import Path

from django.conf import settings

from hub.history.postgres import PostgresStore
from hub.history.sqlite import SqliteStore
from hub.history.store import HistoryStore, StoreError


def open_history(url: str, frame_log_mb: int) -> HistoryStore:
    """The store at `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, prepared.

    ValueError for another scheme, StoreUnavailableError when it cannot be reached.
    """
    store = _store_at(url, frame_log_mb * 1024 * 1024)
    store.prepare()
    return store


def why_not_prepared(url: str, frame_log_mb: int) -> str | None:
    """Why the store at an address cannot be used as it is, None when it can. Prepares nothing."""
    store = _store_at(url, frame_log_mb * 1024 * 1024)
    try:
        store.heads("")
    except StoreError as error:
        return str(error)
    finally:
        store.close()
    return None


def _store_at(url: str, frame_log_bytes: int) -> HistoryStore:
    scheme, _, path = url.partition("://")
    if scheme == "sqlite":
        return SqliteStore(Path(path.removeprefix("/")), frame_log_bytes)
    if scheme in ("postgresql", "postgres"):
        return PostgresStore(url, frame_log_bytes)
    raise ValueError(
        f"HUB_HISTORY_URL: no store for {scheme}://; there are sqlite:///PATH and postgresql://."
    )


@functools.cache
def get_history() -> HistoryStore:
    """The store that HUB_HISTORY_URL names, opened at first use and shared by this process."""
    return open_history(settings.HUB_HISTORY_URL, settings.HUB_FRAME_LOG_MB)
