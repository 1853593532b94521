"""A type that learns gets a metric before the first of its values is stored."""

import asyncio
from typing import Any

import msgspec
import pytest

from devices import registry
from devices.models import Device, Metric, Rejection
from hub.bridge import learning
from hub.bridge.registry import DeviceEntry, MetricEntry, TypeEntry
from hub.bridge.storing import now_ms
from hub.limits.telemetry import FUTURE_TOLERANCE_MS, MAX_METRIC_KEY_CHARS, MAX_METRICS_PER_TYPE
from hub.protocol import frames, topics
from tests.hub.bridge.parts import NOW_MS, Bench, changes_of, message, until
from tests.hub.bridge.workbench import Bench as Workbench
from tests.hub.bridge.workbench import end

PUPIL = TypeEntry("pupil", {"old": MetricEntry("old", "number", None, None)}, None, 86_400_000, "learn")
P = DeviceEntry(9, "p", "pupil", True)
TOPIC = topics.telemetry("pupil", "p")


def bench_of(kind: TypeEntry = PUPIL) -> Bench:
    bench = Bench(P)
    changes = msgspec.structs.replace(changes_of(P, types=[kind]), type_slugs=["pupil"])
    bench.registry.apply(changes)
    return bench


def lesson(payload: Any, kind: TypeEntry = PUPIL) -> dict[str, str] | None:
    """What the type has to learn before this can be judged; nothing is counted by then."""
    bench = bench_of(kind)
    found = bench.judge_one(message(payload, TOPIC))
    if found is None:
        return None
    assert found.type_slug == "pupil"
    assert not bench.judged
    assert bench.tally.arrivals() == {}
    return found.kinds


def reasons(payload: Any, kind: TypeEntry = PUPIL) -> list[tuple[str, str | None, bool]]:
    bench = bench_of(kind)
    assert bench.judge_one(message(payload, TOPIC)) is None
    return bench.reasons()


def full() -> TypeEntry:
    metrics = {f"m{n}": MetricEntry(f"m{n}", "number", None, None) for n in range(MAX_METRICS_PER_TYPE)}
    return msgspec.structs.replace(PUPIL, metrics=metrics)


def test_the_kind_comes_from_the_value():
    payload = {"a": 1, "b": 1.5, "c": True, "d": "x", "old": 2, "e": None}
    assert lesson(payload) == {"a": "number", "b": "number", "c": "boolean", "d": "text"}


def test_the_first_value_of_a_message_decides_and_the_others_are_judged_by_it():
    assert lesson([{"a": 1}, {"a": "x"}]) == {"a": "number"}


def test_what_is_known_needs_no_lesson():
    assert lesson({"old": 1}) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], "unknown_metric"),
        ({"x": 1}, "unknown_metric"),
        (1e16, "not_finite"),
        ("x" * 257, "too_long"),
        ("\0", "wrong_kind"),
    ],
    ids=["array", "object", "number", "text", "NUL"],
)
def test_nothing_is_learnt_from_a_bad_value(value: object, reason: str):
    assert reasons({"new": value}) == [(reason, "new", True)]


@pytest.mark.parametrize(
    "key", ["1st", "a-b", "ä", "", "a b", "x" * (MAX_METRIC_KEY_CHARS + 1), "ts", "seq", "values"]
)
def test_a_key_that_no_metric_may_have_is_refused_with_the_rule(key: str):
    bench = bench_of()
    assert bench.judge_one(message({"values": {key: 1}}, TOPIC)) is None
    (refusal,) = bench.judged.refusals
    assert (refusal.fault.reason, refusal.fault.metric) == ("unknown_metric", key)
    assert "a letter first" in refusal.fault.detail


@pytest.mark.parametrize(
    "reading",
    [{"ts": True, "new": 1}, {"ts": NOW_MS + FUTURE_TOLERANCE_MS + 1, "new": 1}, {"seq": -1, "new": 1}, 5],
)
def test_nothing_is_learnt_from_a_reading_that_is_refused(reading: object):
    assert lesson([reading]) is None
    assert len(reasons([reading])) == 1


def test_a_full_type_says_so():
    bench = bench_of(full())
    assert bench.judge_one(message({"new": 1}, TOPIC)) is None
    (refusal,) = bench.judged.refusals
    assert refusal.fault.reason == "unknown_metric"
    assert "is full: a type has at most 100 metrics" in refusal.fault.detail


def test_only_as_much_is_learnt_as_there_is_room_for():
    almost = msgspec.structs.replace(PUPIL, metrics=dict(list(full().metrics.items())[:-2]))
    assert lesson({f"new{n}": 1 for n in range(5)}, almost) == {"new0": "number", "new1": "number"}


def test_a_message_is_judged_after_its_lesson_whatever_was_learnt():
    bench = bench_of()
    entry = message({"old": 1, "new": 1}, TOPIC)
    assert bench.judge_one(entry) is not None
    assert bench.judge_one(entry, learns=False) is None
    assert [reading.values for reading in bench.judged.accepted] == [{"old": 1}]
    assert bench.judged.accepted[0].ts_ms == NOW_MS, "no time of arrival was used up before"
    assert bench.reasons() == [("unknown_metric", "new", False)]


# --- with registry, store and pages ----------------------------------------------------------------


@pytest.fixture
def pupil(transactional_db: None) -> None:
    registry.create_device_type("pupil", unknown_metrics="learn", metrics=[{"key": "old"}])
    registry.create_device("p", "pupil")


async def values_stored(bench: Workbench) -> list[dict[str, Any]]:
    key = bench.senders.registry.devices["p"].key
    return [dict(row.values) for row in bench.store.rows_page(key, 0, 2**62, -1, 100)]


@pytest.mark.usefixtures("pupil")
async def test_a_new_metric_is_learnt_framed_and_stored_with_everything_around_it(bench: Workbench):
    task = await bench.run()
    now = now_ms()
    sent: list[dict[str, object]] = [
        {"old": 1},
        {"new": 2},
        {"new": 3, "door": True},
        {"mode": "eco"},
        {"door": 5},
    ]
    for number, values in enumerate(sent):
        bench.arrive({"ts": now + number, **values}, TOPIC)
    await until(lambda: bench.ear.acknowledged == [1, 2, 3, 4, 5])
    assert await values_stored(bench) == sent[:4]
    metrics = await bench.records.run(lambda: list(Metric.objects.values_list("key", "kind")))
    assert metrics == [("old", "number"), ("new", "number"), ("door", "boolean"), ("mode", "text")]
    refused = await bench.records.run(lambda: list(Rejection.objects.values_list("reason", "metric")))
    assert refused == [("wrong_kind", "door")]
    logged = bench.store.frames_page("pupil", {}, 1_000)
    known: set[str] = set()
    for frame in logged:
        if frame.kind == "device_type":
            shape = msgspec.json.decode(f"{{{frame.body}}}")
            known = {m["key"] for m in shape["device_type"]["metrics"]}
        elif frame.kind == "readings":
            assert set(frames.decode_readings(frame.body).metrics) <= known
    assert known == {"old", "new", "door", "mode"}
    bench.store.check_laws([bench.senders.registry.devices["p"].key])
    await end(task)


@pytest.mark.usefixtures("pupil")
async def test_what_another_bridge_learnt_meanwhile_keeps_its_kind(bench: Workbench):
    task = await bench.run()
    await bench.records.run(registry.learn_metric, "pupil", "new", "text")
    bench.arrive({"new": 1, "old": 1}, TOPIC)
    bench.arrive({"new": "x"}, TOPIC)
    await until(lambda: bench.ear.acknowledged == [1, 2])
    assert await values_stored(bench) == [{"old": 1}, {"new": "x"}]
    assert await bench.records.run(lambda: Metric.objects.get(key="new").kind) == "text"
    await end(task)


@pytest.mark.usefixtures("pupil")
async def test_a_type_that_was_filled_meanwhile_refuses_and_says_so(bench: Workbench):
    task = await bench.run()
    others = {f"m{n}": "number" for n in range(MAX_METRICS_PER_TYPE)}
    await bench.records.run(learning.learn, "pupil", others)
    assert await bench.records.run(Metric.objects.count) == MAX_METRICS_PER_TYPE
    bench.arrive({"new": 1, "old": 1}, TOPIC)
    await until(lambda: bench.ear.acknowledged == [1])
    detail = await bench.records.run(lambda: Rejection.objects.get().detail)
    assert "is full" in detail
    assert await values_stored(bench) == [{"old": 1}]
    await end(task)


@pytest.mark.usefixtures("pupil")
async def test_a_device_that_goes_while_its_type_learns_is_unknown(bench: Workbench):
    task = await bench.run()
    bench.arrive({"old": 1}, TOPIC)
    await until(lambda: bench.ear.acknowledged == [1])
    await bench.records.run(lambda: registry.delete_device(Device.objects.get()))
    bench.arrive({"new": 1}, TOPIC)
    bench.arrive({"old": 1}, TOPIC)
    await until(lambda: bench.ear.acknowledged == [1, 2, 3])
    assert await bench.records.run(lambda: list(Rejection.objects.values_list("reason", "count"))) == [
        ("unknown_device", 2)
    ]
    await end(task)


@pytest.mark.usefixtures("pupil")
async def test_bridges_that_learn_at_once_agree(bench: Workbench):
    def learn(kind: str) -> None:
        learning.learn("pupil", {f"m{n}": kind for n in range(10)})

    other = type(bench.records)()
    await asyncio.gather(bench.records.run(learn, "number"), other.run(learn, "text"))
    kinds = await bench.records.run(
        lambda: set(Metric.objects.filter(key__startswith="m").values_list("kind", flat=True))
    )
    assert len(kinds) == 1
    assert await bench.records.run(Metric.objects.count) == 11
    other.close()
