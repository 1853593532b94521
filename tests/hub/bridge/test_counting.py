"""Whatever arrives is counted, and the two laws hold with the real store."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.bridge.inbox import Message
from hub.history.sqlite import SqliteStore
from hub.history.store import UNKNOWN_DEVICE, Batch, Reading
from hub.protocol import telemetry, topics
from tests.hub.bridge.parts import NOW_MS, OFF, P1, T1, T2, Bench, message

values = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.text(max_size=3), st.none(), st.just("x" * 300)
)
elements = (
    st.fixed_dictionaries(
        {},
        optional={
            "ts": st.sampled_from([NOW_MS, NOW_MS - 1, NOW_MS - 2, 0, NOW_MS * 2, NOW_MS // 2]),
            "seq": st.integers(-1, 6),
            "temperature": values,
            "mode": values,
            "pressure": values,
        },
    )
    | st.integers()
)
payloads = st.lists(elements, max_size=4) | elements | st.binary(max_size=5)
telemetry_topics = st.sampled_from(
    [
        *[topics.telemetry("thermostat", uid) for uid in ("t1", "t2", "off", "nobody")],
        *[topics.telemetry("pump", uid) for uid in ("p1", "t1")],
        "devices/thermostat/t1",
    ]
)
messages = st.builds(
    message,
    payloads,
    telemetry_topics,
    arrived_ms=st.sampled_from([NOW_MS, NOW_MS + 1]),
    retained=st.sampled_from([False, False, False, True]),
)


def elements_in(entry: Message) -> int:
    """What the design counts: one for a message that cannot be taken apart, else one an element."""
    decoded = telemetry.decode(entry.payload)
    return len(decoded) if isinstance(decoded, list) else 1


def taken_apart(entry: Message) -> bool:
    return not entry.retained and entry.topic in (
        topics.telemetry("thermostat", "t1"),
        topics.telemetry("thermostat", "t2"),
        topics.telemetry("pump", "p1"),
    )


@pytest.fixture(scope="module")
def history():
    with TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "history.sqlite3", frame_log_bytes=1024 * 1024)
        store.prepare()
        yield store
        store.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(messages, max_size=5), max_size=4))
def test_whatever_arrives_is_counted_and_the_laws_hold(history: SqliteStore, batches: list[list[Message]]):
    keys = [UNKNOWN_DEVICE, T1.key, T2.key, P1.key, OFF.key]
    for key in keys:
        history.delete(key)
    tracks = Bench().tracks
    for batch in batches:
        bench = Bench()
        bench.tracks.update(tracks)
        judged = bench.judge(*batch)
        arrivals = bench.tally.arrivals()
        received = sum(elements_in(entry) if taken_apart(entry) else 1 for entry in batch)
        assert sum(entry.received for entry in arrivals.values()) == received
        assert sum(entry.rejected for entry in arrivals.values()) == sum(r.whole for r in judged.refusals)
        rows = [Reading(a.device.key, a.ts_ms, a.received_ms, a.seq, a.values) for a in judged.accepted]
        history.append(Batch(NOW_MS, rows, arrivals))
    for key, ledger in history.ledger(keys).items():
        assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
        num_rows = len(history.rows_page(key, 0, 2**62, -1, 5_000))
        assert ledger.stored - ledger.pruned == num_rows
