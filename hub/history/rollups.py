"""Rollups: what a minute or an hour of a metric comes to, and how many of them are kept together. Pure.

Both stores keep the same bytes: the minutes of a device's hour in one piece, the hours of its day in
another. So an hour that is made anew is one row to write, and a year of hours 365 rows to read.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hub.history.store import RawRow
from hub.protocol.telemetry import Value

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


class Summary(NamedTuple):
    """What some values of a metric come to. Booleans count as 0 and 1; text has number and `last` only.

    `num_numbers` of the `num_values` are numbers or booleans: `total`, `minimum` and `maximum` are
    theirs, 0 and None when there are none.
    """

    num_values: int
    num_numbers: int
    total: float
    minimum: float | None
    maximum: float | None
    last: Value


Summaries = dict[str, dict[int, Summary]]
"""By metric, and by the start of the minute or hour (ms)."""


class Column(msgspec.Struct, array_like=True):
    """One metric of a piece: an entry a minute or hour, `at` counted from the start of the piece.

    The last four are None when none of the values is a number; `num_numbers` also when all are.
    """

    at: list[int]
    num_values: list[int]
    last: list[Value]
    num_numbers: list[int] | None = None
    total: list[float] | None = None
    minimum: list[float | None] | None = None
    maximum: list[float | None] | None = None


_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(dict[str, Column]).decode


def summary(values: Sequence[Value]) -> Summary:
    """What values, oldest first and at least one, come to."""
    numbers = [value for value in values if not isinstance(value, str)]
    if not numbers:
        return Summary(len(values), 0, 0, None, None, values[-1])
    # + 0 makes a boolean a number.
    low, high = min(numbers) + 0, max(numbers) + 0
    return Summary(len(values), len(numbers), sum(numbers), low, high, values[-1])


def joined(earlier: Summary, later: Summary) -> Summary:
    """Two summaries as one; `last` is that of the later one."""
    lows = [low for low in (earlier.minimum, later.minimum) if low is not None]
    highs = [high for high in (earlier.maximum, later.maximum) if high is not None]
    return Summary(
        earlier.num_values + later.num_values,
        earlier.num_numbers + later.num_numbers,
        earlier.total + later.total,
        min(lows, default=None),
        max(highs, default=None),
        later.last,
    )


def minutes_of(rows: Iterable[RawRow]) -> Summaries:
    """The minutes of readings, oldest first."""
    values: dict[str, dict[int, list[Value]]] = {}
    for row in rows:
        minute_ms = row.ts_ms - row.ts_ms % MINUTE_MS
        for metric, value in row.values.items():
            values.setdefault(metric, {}).setdefault(minute_ms, []).append(value)
    return {
        metric: {minute_ms: summary(held) for minute_ms, held in minutes.items()}
        for metric, minutes in values.items()
    }


def hour_of(minutes: Summaries) -> dict[str, Summary]:
    """What the minutes of one hour come to, by metric."""
    hours: dict[str, Summary] = {}
    for metric, by_minute in minutes.items():
        for _, one in sorted(by_minute.items(), key=lambda item: item[0]):
            hours[metric] = joined(hours[metric], one) if metric in hours else one
    return hours


def with_hours(day: Summaries, hours: Mapping[int, Mapping[str, Summary]]) -> Summaries:
    """The hours of a day with some of them replaced; nothing is left of what those had before."""
    replaced: Summaries = {}
    for metric, entries in day.items():
        if kept := {at: one for at, one in entries.items() if at not in hours}:
            replaced[metric] = kept
    for at, hour in hours.items():
        for metric, one in hour.items():
            replaced.setdefault(metric, {})[at] = one
    return replaced


def added(to: Summaries, more: Summaries) -> Summaries:
    """Two sets of summaries as one; where both have an entry `last` is that of `to`.

    For what comes after its hour was closed: which value is the last can no longer be told.
    """
    both = {metric: dict(entries) for metric, entries in to.items()}
    for metric, entries in more.items():
        held = both.setdefault(metric, {})
        for at, one in entries.items():
            held[at] = joined(one, held[at]) if at in held else one
    return both


def pack(start_ms: int, unit_ms: int, summaries: Summaries) -> bytes:
    """The entries of one piece of time as compressed bytes."""
    columns = {}
    for metric, entries in summaries.items():
        ordered = sorted(entries.items(), key=lambda item: item[0])
        columns[metric] = _column(
            [(at - start_ms) // unit_ms for at, _ in ordered], [one for _, one in ordered]
        )
    return zlib.compress(_encode(columns))


def _column(at: list[int], entries: list[Summary]) -> Column:
    column = Column(at, [one.num_values for one in entries], [one.last for one in entries])
    if any(one.num_numbers for one in entries):
        column.total = [one.total for one in entries]
        column.minimum = [one.minimum for one in entries]
        column.maximum = [one.maximum for one in entries]
        if any(one.num_numbers != one.num_values for one in entries):
            column.num_numbers = [one.num_numbers for one in entries]
    return column


def unpack(piece: bytes) -> dict[str, Column]:
    """The columns that `pack` made, by metric."""
    return _decode(zlib.decompress(piece))


def summaries_of(start_ms: int, unit_ms: int, columns: Mapping[str, Column]) -> Summaries:
    """The entries of columns by their times."""
    return {
        metric: {start_ms + at * unit_ms: one for at, one in zip(column.at, entries_of(column), strict=True)}
        for metric, column in columns.items()
    }


def entries_of(column: Column) -> Iterable[Summary]:
    """The entries of a column in order of time."""
    return (summary_of(column, n, n + 1) for n in range(len(column.at)))


def summary_of(column: Column, begin: int, end: int) -> Summary:
    """What neighbouring entries of a column, at least one, come to together."""
    num_values, last = sum(column.num_values[begin:end]), column.last[end - 1]
    if column.total is None or column.minimum is None or column.maximum is None:
        return Summary(num_values, 0, 0, None, None, last)
    total, low, high = sum(column.total[begin:end]), column.minimum[begin:end], column.maximum[begin:end]
    if column.num_numbers is None:
        return Summary(num_values, num_values, total, min(low), max(high), last)  # type: ignore[type-var]
    lows, highs = [one for one in low if one is not None], [one for one in high if one is not None]
    num_numbers = sum(column.num_numbers[begin:end])
    return Summary(num_values, num_numbers, total, min(lows, default=None), max(highs, default=None), last)
