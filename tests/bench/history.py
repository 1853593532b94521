"""History: how long a chart of one device takes, from rollups and from readings.

    .venv/bin/python -m tests.bench.history [--readings 5000000] [--runs 15]

A store of 5 million readings with three metrics each, made once (some minutes) and kept in var/bench:
a device at 1 Hz, one with a reading every 10 s for a year, and others. Design section 8: 24 h at 1 Hz as
1,000 points must take 40 ms at most, a year should take 50 ms. Both sides are read from the same file.
Then hours are rolled up and readings pruned beside appends: how long the writer was held, and how long
an append waited.
"""

import argparse
import math
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from hub.history.rollups import DAY_MS, HOUR_MS
from hub.history.spans import Coverage
from hub.history.sqlite import SqliteStore
from hub.history.store import Arrivals, Batch, Columns, Cutoffs, Reading

ROLLED_TO: Final = 1_763_798_400_000
NOW: Final = ROLLED_TO + 40 * 60_000
"""Charts end now, within an hour that is not rolled up yet."""

QUICK, LONG = 1, 2
"""The device at 1 Hz, and the one with a year."""

POINTS: Final = 1_000
_BATCH: Final = 5_000
_PLACE: Final = Path(__file__).resolve().parents[2] / "var" / "bench"


class Unrolled(SqliteStore):
    """The same file, read as if nothing had been rolled up."""

    def coverage(self, device: int, from_ms: int, to_ms: int) -> Coverage:
        return Coverage(0, 0, (), 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    path = _PLACE / f"history-{options.readings}-v2.sqlite3"
    if not path.exists():
        make(path, options.readings)
    compare(path, options.runs)
    tend(path)


# --- the store -----------------------------------------------------------------------------


def make(path: Path, number: int) -> None:
    """Fill a store and roll it up; it gets its name when it is complete."""
    print(f"making a store of {number:,} readings in {path} (once)", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
    store = SqliteStore(unfinished, 1_000_000)
    store.prepare()
    begun_s = time.perf_counter()
    for batch in batches(number):
        store.append(batch)
    stored_s = time.perf_counter() - begun_s
    num_bytes = store.size().num_bytes
    print(f"  appended in {stored_s:.0f} s; {num_bytes / number:.1f} bytes a reading", flush=True)
    begun_s = time.perf_counter()
    num_hours = 0
    while not (rolled := store.roll(ROLLED_TO, 60.0)).is_finished:
        num_hours += rolled.num_hours
    num_hours += rolled.num_hours
    print(f"  {num_hours:,} hours of devices rolled up in {time.perf_counter() - begun_s:.0f} s", flush=True)
    store.close()
    unfinished.rename(path)


def batches(number: int) -> Iterator[Batch]:
    """A week at 1 Hz, a year at 0.1 Hz; what is missing are other devices with a reading a minute."""
    week, year = 7 * 86_400, 365 * 8_640
    scale = number / 5_000_000
    yield from of_device(QUICK, int(max(week * scale, 86_400)), 1_000)
    yield from of_device(LONG, int(year * scale), int(10_000 / scale))
    rest = number - int(max(week * scale, 86_400)) - int(year * scale)
    for device in range(LONG + 1, LONG + 21):
        yield from of_device(device, rest // 20, 60_000)


def of_device(device: int, number: int, step_ms: int) -> Iterator[Batch]:
    """Readings up to NOW."""
    first_ms = NOW - number * step_ms
    for begin in range(0, number, _BATCH):
        readings = [one(device, first_ms + n * step_ms) for n in range(begin, min(begin + _BATCH, number))]
        yield Batch(readings[-1].ts_ms, readings, {device: Arrivals(received=len(readings))})


def one(device: int, ts_ms: int) -> Reading:
    """What a sensor says: a daily wave, some noise, two digits."""
    phase = (ts_ms % DAY_MS) / DAY_MS * math.tau
    noise = (ts_ms // 1_000 * 2_654_435_761 + device) % 1_000 / 1_000
    values = {
        "temperature": round(20 + 5 * math.sin(phase) + noise, 2),
        "humidity": round(55 - 10 * math.sin(phase) + 3 * noise, 1),
        "running": noise > 0.3,
    }
    return Reading(device, ts_ms, ts_ms + 40, ts_ms // 1_000, values)


# --- charts ----------------------------------------------------------------------------------


def compare(path: Path, num_runs: int) -> None:
    rolled, raw = SqliteStore(path, 1_000_000), Unrolled(path, 1_000_000)
    rolled.prepare()
    size = rolled.size()
    a_reading = size.num_bytes / size.num_readings
    print(f"{size.num_readings:,} readings, {a_reading:.1f} bytes a reading with rollups, on the disk")
    for table in ("reading", "rollup_1m", "rollup_1h"):
        print(f"  {table:10} {share(rolled, table) / size.num_readings:6.2f} bytes a reading")
    for name, device, length_ms, aim in (
        ("24 h at 1 Hz", QUICK, DAY_MS, "must 40 ms"),
        ("1 year at 0.1 Hz", LONG, 365 * DAY_MS, "goal 50 ms"),
    ):
        for shown in ([], ["temperature"]):
            part = (device, shown, NOW - length_ms, NOW)
            columns, took = timed(rolled, part, num_runs)
            same, raw_took = timed(raw, part, 3 if length_ms == DAY_MS else 1)
            assert columns.ts == same.ts
            print(f"{name}, {len(shown) or 3} metrics, {len(columns.ts)} of {POINTS} points ({aim})")
            print(f"  from {columns.resolution} rollups {took}; from readings {raw_took}", flush=True)
    rolled.close()
    raw.close()


def share(store: SqliteStore, table: str) -> int:
    """Bytes in a table's cells; what pages have free is not counted."""
    column = 'length("values") + 24' if table == "reading" else "length(piece) + 12"
    ((num_bytes,),) = store._readers.rows(f"SELECT sum({column}) FROM {table}")
    return int(num_bytes)


class Took(NamedTuple):
    """Medians of some runs. The CPU time tells what it would be on a machine that does nothing else."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s * 1e3:.1f} ms ({self.cpu_s * 1e3:.1f} ms CPU)"


def timed(store: SqliteStore, part: tuple[int, list[str], int, int], num_runs: int) -> tuple[Columns, Took]:
    """The answer, and what it took."""
    answers: list[Columns] = []
    runs: list[Took] = []
    for _ in range(num_runs):
        begun_s, cpu_begun_s = time.perf_counter(), time.thread_time()
        answers.append(store.read(*part, POINTS))
        runs.append(Took(time.perf_counter() - begun_s, time.thread_time() - cpu_begun_s))
    return answers[-1], Took(*(statistics.median(figures) for figures in zip(*runs, strict=True)))


# --- housekeeping beside appends ---------------------------------------------------------------


def tend(path: Path) -> None:
    """Roll up again and prune in a copy, while something appends."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        store, other = SqliteStore(copy, 1_000_000), SqliteStore(copy, 1_000_000)
        ended = threading.Event()
        waits: list[float] = []

        def append_on() -> None:
            n = 0
            while not ended.wait(0.02):
                n += 1
                late = [one(device, NOW - n * HOUR_MS // 7 - 1) for device in range(1, 23)]
                begun_s = time.perf_counter()
                other.append(Batch(NOW, late, {}))
                waits.append(time.perf_counter() - begun_s)

        thread = threading.Thread(target=append_on)
        thread.start()
        begun_s = time.perf_counter()
        while time.perf_counter() - begun_s < 10:
            store.roll(ROLLED_TO, 1.0)
        _print_slices("rolling up", store, waits)
        store._slices.longest_s, waits[:] = 0.0, []
        begun_s = time.perf_counter()
        removed = store.prune(Cutoffs(dict.fromkeys(range(1, 23), NOW - 30 * DAY_MS)))
        duration_s = time.perf_counter() - begun_s
        ended.set()
        thread.join()
        _print_slices(f"pruning {removed:,} readings in {duration_s:.0f} s", store, waits)
        store.close()
        other.close()


def _print_slices(what: str, store: SqliteStore, waits: list[float]) -> None:
    waits = sorted(waits)
    p50, p99, worst = (waits[min(len(waits) - 1, int(len(waits) * part))] * 1e3 for part in (0.5, 0.99, 1))
    print(f"{what}: writer held for {store._slices.longest_s * 1e3:.0f} ms at most (must 50)")
    print(
        f"  {len(waits)} appends meanwhile: p50 {p50:.0f}, p99 {p99:.0f}, at most {worst:.0f} ms", flush=True
    )


if __name__ == "__main__":
    main()
