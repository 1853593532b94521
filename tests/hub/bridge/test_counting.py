"""Whatever arrives is counted, and the two laws hold with the real store."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.bridge.batch import Judged
from hub.bridge.inbox import Message
from hub.bridge.ledger import Tally
from hub.bridge.ratelimit import RateLimit
from hub.bridge.registry import DeviceEntry, MetricEntry, TypeEntry
from hub.history.sqlite import SqliteStore
from hub.history.store import UNKNOWN_DEVICE, Batch, Reading
from hub.protocol import telemetry, topics
from tests.hub.bridge.parts import DAY_MS, NOW_MS, OFF, P1, T1, T2, Bench, message

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
        topics.telemetry("pupil", "l1"),
        "devices/thermostat/t1",
    ]
)
messages = st.builds(
    message,
    payloads,
    telemetry_topics,
    arrived_ms=st.sampled_from([NOW_MS, NOW_MS + 1]),
    retained=st.sampled_from([False, False, False, True]),
    dup=st.booleans(),
)
LEARNER = DeviceEntry(7, "l1", "pupil", True)
PUPIL = TypeEntry("pupil", {}, None, 30 * DAY_MS, "learn")


def elements_in(entry: Message) -> int:
    """What the design counts: one for a message that cannot be taken apart, else one an element."""
    decoded = telemetry.decode(entry.payload)
    return len(decoded) if isinstance(decoded, list) else 1


def taken_apart(entry: Message) -> bool:
    return not entry.retained and entry.topic in (
        topics.telemetry("thermostat", "t1"),
        topics.telemetry("thermostat", "t2"),
        topics.telemetry("pump", "p1"),
        topics.telemetry("pupil", "l1"),
    )


def room() -> Bench:
    """A judge of all devices; three messages of each are admitted, then one every ten years."""
    bench = Bench(T1, T2, P1, OFF, LEARNER)
    bench.registry.types["pupil"] = PUPIL
    bench.limit = RateLimit(per_s=1e-8, depth=3)
    bench.limit.admits(0, message(arrived_ms=0))
    bench.limit.drained(NOW_MS)
    return bench


def judge(bench: Bench, entry: Message) -> None:
    """As the worker does: what has to be learnt is learnt first."""
    lesson = bench.judge_one(entry)
    if lesson is None:
        return
    kind = bench.registry.types[lesson.type_slug]
    learnt = {key: MetricEntry(key, given, None, None) for key, given in lesson.kinds.items()}
    assert learnt
    assert learnt.keys().isdisjoint(kind.metrics)
    bench.registry.types[kind.slug] = msgspec.structs.replace(kind, metrics={**kind.metrics, **learnt})
    assert bench.judge_one(entry, learns=False) is None


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
    keys = [UNKNOWN_DEVICE, T1.key, T2.key, P1.key, OFF.key, LEARNER.key]
    for key in keys:
        history.delete(key)
    bench = room()
    for batch in batches:
        bench.judged, bench.tally = Judged(), Tally(bench.tracks)
        for entry in batch:
            judge(bench, entry)
        judged = bench.judged
        arrivals = bench.tally.arrivals()
        # Messages are frozen and compared by value: which were refused is told by their identity.
        limited = {id(r.message) for r in judged.refusals if r.fault.reason == "rate_limited"}
        assert not any(entry.dup for entry in batch if id(entry) in limited)
        received = sum(
            elements_in(entry) if taken_apart(entry) and id(entry) not in limited else 1 for entry in batch
        )
        assert sum(entry.received for entry in arrivals.values()) == received
        assert sum(entry.rejected for entry in arrivals.values()) == sum(r.whole for r in judged.refusals)
        rows = [Reading(a.device.key, a.ts_ms, a.received_ms, a.seq, a.values) for a in judged.accepted]
        history.append(Batch(NOW_MS, rows, arrivals))
    for key, ledger in history.ledger(keys).items():
        assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
        num_rows = len(history.rows_page(key, 0, 2**62, -1, 5_000))
        assert ledger.stored - ledger.pruned == num_rows
