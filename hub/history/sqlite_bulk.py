"""Many rows in few statements.

# Optimization: sqlite3 gives up the interpreter's lock at every statement and waits to get it back,
# up to 5 ms each while another thread computes: row by row 1,000 rows took 1.3 s beside a busy
# thread, in statements of hundreds of rows 0.1 s. Alone both take the same time.
"""

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from hub.limits.history import SQLITE_BULK_ROWS


def write(cursor: sqlite3.Cursor, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement over rows of equal width; `{rows}` in it becomes their placeholders.

    Write `INSERT OR FAIL`: the caller rolls back, and SQLite then need not copy every page first.
    """
    for part in _parts(rows):
        cursor.execute(_text(statement, len(part), len(part[0])), [*chain.from_iterable(part)])


def read(cursor: sqlite3.Cursor, statement: str, keys: Sequence[tuple[object, ...]]) -> list[tuple[Any, ...]]:
    """Run a query with keys in place of its `{rows}`; returns the rows of all parts."""
    found: list[tuple[Any, ...]] = []
    for part in _parts(keys):
        cursor.execute(_text(statement, len(part), len(part[0])), [*chain.from_iterable(part)])
        found += cursor.fetchall()
    return found


def _parts(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    # Powers of two only, so that about ten texts a statement stay prepared whatever a batch's length.
    at, size = 0, SQLITE_BULK_ROWS
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        yield rows[at : at + size]
        at += size


@functools.cache
def _text(statement: str, num_rows: int, width: int) -> str:
    row = f"({','.join('?' * width)})"
    return statement.replace("{rows}", ",".join([row] * num_rows))
