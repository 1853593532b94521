"""Pretend devices."""

from typing import Final

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
