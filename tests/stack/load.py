"""Some hundred readings a second under which parts fail, and the proof that none was lost or told twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hub.protocol import frames
from tests.parts.hub_process import HubEnvironment, wait_until
from tests.stack.parts import FIRST_MS, History, Publisher

DEVICES: Final = ("a", "b", "c")
SICK: Final = "sick"
"""A device that sends no load."""

Hub = Callable[..., HubEnvironment]
"""`hub(broker, HUB_…="…")`: a hub of one's own beside a broker, with the devices of the load."""


class Load:
    """Readings of each device in turn, each with a time and a number of its own, until stopped."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.num_sent = 0

    def _run(self) -> None:
        while not self._stopping.wait(0.002):
            self.send()

    def send(self, count: int = 1) -> None:
        """The next readings."""
        for _ in range(count):
            uid = DEVICES[self.num_sent % len(DEVICES)]
            self._publisher.reading(uid, reading(self.num_sent // len(DEVICES)))
            self.num_sent += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Send no more, and wait until the broker has all."""
        self._stopping.set()
        self._thread.join()
        self._publisher.flush()


def reading(seq: int) -> dict[str, object]:
    """The reading of a device that has this number."""
    return {"ts": FIRST_MS + seq, "seq": seq, "values": {"temperature": seq % 80}}


def num_stored(history: History) -> int:
    return sum(history.ledger(uid).stored for uid in DEVICES)


def wait_for_more(history: History, count: int = 200) -> None:
    """Until so many more readings are stored than now."""
    stored = num_stored(history)
    wait_until(lambda: num_stored(history) > stored + count, 40, what=f"{count} more readings")


def subscribed(history: History) -> bool:
    """Whether the bridge has its session."""
    return history.query("SELECT receiving FROM devices_bridgereport") == [(1,)]


def wait_for_bridge(history: History) -> None:
    """Until a bridge has its session; to start takes some seconds where much runs beside it."""
    wait_until(lambda: subscribed(history), 40, what="the session of a bridge")


def check_nothing_lost(history: History, load: Load) -> None:
    """Every reading that was published is there once, is counted, and was told to browsers."""
    wait_until(lambda: num_stored(history) == load.num_sent, 40, what=f"{load.num_sent} readings stored")
    told = {
        (row[0], row[1])
        for frame in history.frames()
        if frame.kind == "readings"
        for row in frames.decode_readings(frame.body).rows
    }
    for number, uid in enumerate(DEVICES):
        expected = list(range((load.num_sent - number + len(DEVICES) - 1) // len(DEVICES)))
        rows = history.rows(uid)
        assert [row.seq for row in rows] == expected
        assert [row.ts_ms for row in rows] == [FIRST_MS + seq for seq in expected]
        assert {(uid, row.ts_ms) for row in rows} <= told
        ledger = history.ledger(uid)
        assert (ledger.rejected, ledger.lost_before_hub, ledger.holes) == (0, 0, [])
        assert ledger.last_seq == expected[-1]
        assert history.rejections(uid) == []
    history.check_laws(*DEVICES)
