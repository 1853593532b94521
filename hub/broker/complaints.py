"""Log lines that a thousand clients could cause at once: at most one a second, the rest counted."""

import logging
import time
from typing import Final

EVERY_S: Final = 1.0
MAX_CHARS: Final = 300
"""Clients choose names and topics, and both may be 64 KiB long."""


class Complaints:
    """Says the first of what goes wrong, then at most one line a second with how many were left out."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said_at = float("-inf")
        self._unsaid = 0

    def say(self, text: str, now: float | None = None) -> None:
        """Log a sentence as a warning. `now` is in seconds of any clock that only goes forward."""
        now = time.monotonic() if now is None else now
        if now - self._said_at < EVERY_S:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more complaints were not shown.)" if self._unsaid else ""
        self._log.warning("%s%s", text[:MAX_CHARS], more)
        self._said_at, self._unsaid = now, 0
