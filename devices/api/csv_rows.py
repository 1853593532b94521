"""Raw readings as CSV, page by page, so that memory stays bounded however long the history is."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from devices.api.times import iso
from hub.history.store import HistoryStore, RawRow
from hub.limits.history import ROWS_PAGE_MAX
from hub.protocol.telemetry import Value


async def csv_pages(
    store: HistoryStore, device: int, metrics: Sequence[str], from_ms: int, to_ms: int
) -> AsyncIterator[bytes]:
    """The header, then one chunk of lines a page: `ts,received,seq,<metrics>`.

    Asynchronous, because Django under ASGI would read a plain iterator whole into memory.
    """
    yield _lines([["ts", "received", "seq", *metrics]])
    after_ms = from_ms - 1
    while True:
        rows = await asyncio.to_thread(store.rows_page, device, from_ms, to_ms, after_ms, ROWS_PAGE_MAX)
        if not rows:
            return
        yield await asyncio.to_thread(_page, rows, metrics)
        after_ms = rows[-1].ts_ms


def _page(rows: Iterable[RawRow], metrics: Sequence[str]) -> bytes:
    """Lines of those readings that have one of the metrics."""
    wanted = frozenset(metrics)
    return _lines(
        [iso(row.ts_ms), iso(row.received_ms), row.seq, *(_cell(row.values.get(key)) for key in metrics)]
        for row in rows
        if not wanted.isdisjoint(row.values)
    )


def _cell(value: Value | None) -> Value | None:
    return str(value).lower() if isinstance(value, bool) else value


def _lines(rows: Iterable[Sequence[Value | None]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
