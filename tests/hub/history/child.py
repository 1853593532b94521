"""A process of its own at a SQLite history: `python -m tests.hub.history.child WHAT PATH`.

It says on stdout what it has done, a line each, and waits for stdin where the test decides when.
"""

import itertools
import resource
import sys
from pathlib import Path

from hub.history.sqlite import SqliteStore
from hub.history.store import Arrivals, Batch, Reading, StoreError
from hub.protocol.frames import Frame

DEVICES = 5
FRAME_LOG_BYTES = 1_000_000


def batch(n: int) -> Batch:
    """The n-th batch: a reading for each device, one of them repeated, and a frame."""
    readings = [Reading(device, n, n, n, {"t": n / 3}) for device in range(1, DEVICES + 1)]
    readings.append(readings[0])
    arrivals = {device: Arrivals(received=2 if device == 1 else 1) for device in range(1, DEVICES + 1)}
    return Batch(n, readings, arrivals, [Frame("pump", "main-1", n, n, "readings", n, "[]")])


def append_for_ever(store: SqliteStore) -> None:
    """Say n after the n-th batch is on the disk."""
    store.prepare()
    for n in itertools.count(1):
        store.append(batch(n))
        print(n, flush=True)


def prepare_when_told(store: SqliteStore) -> None:
    """Prepare, and append a batch that every such process appends."""
    print("ready", flush=True)
    sys.stdin.readline()
    store.prepare()
    store.append(batch(1))
    print("prepared", flush=True)


def fill_the_disk(store: SqliteStore) -> None:
    """Append until files may not grow, say what was raised, and again when they may."""
    store.prepare()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    stored = 0
    try:
        for stored in itertools.count():
            store.append(batch(stored + 1))
    except StoreError as error:
        print(f"{type(error).__name__} {stored}", flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    outcomes = store.append(batch(stored + 1))
    print(*(outcome.value for outcome in outcomes), flush=True)


if __name__ == "__main__":
    tasks = {"append": append_for_ever, "prepare": prepare_when_told, "fill": fill_the_disk}
    history = SqliteStore(Path(sys.argv[2]), FRAME_LOG_BYTES)
    tasks[sys.argv[1]](history)
    history.close()
