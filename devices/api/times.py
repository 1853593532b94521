"""Times as REST shows and takes them: ISO 8601 with offset out, that or Unix milliseconds in."""

import datetime as dt
import re
from typing import Final

from hub.limits.telemetry import MAX_SEQ
from hub.protocol.telemetry import parse_ts

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LOST_PLUS: Final = re.compile(r" (?=\d\d:?\d\d$)")


def iso(ms: int) -> str:
    """`2026-11-22T07:20:00.123Z`. Beyond the year 9999 the latest moment that can be written."""
    try:
        moment = _EPOCH + dt.timedelta(milliseconds=ms)
    except OverflowError:
        moment = dt.datetime.max.replace(tzinfo=dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_ms(text: str) -> int | None:
    """Unix milliseconds of a query parameter: digits are milliseconds, else ISO 8601 with offset.

    A `+` that was not escaped arrives as a space and is taken for what it was.
    """
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text) if int(text) <= MAX_SEQ else None
    return parse_ts(_LOST_PLUS.sub("+", text))
