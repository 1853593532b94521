"""Every reason for which a message, a reading or a value is refused, and what is counted."""

import pytest

from hub.bridge.inbox import Message
from hub.bridge.registry import TypeEntry
from hub.bridge.values import judge_values
from hub.history.store import UNKNOWN_DEVICE
from hub.limits.telemetry import FUTURE_TOLERANCE_MS, MAX_ABS_NUMBER, MAX_PAYLOAD_BYTES
from hub.protocol import topics
from tests.hub.bridge.parts import NOW_MS, OFF, T1, THERMOSTAT, Bench, message

TOPIC = topics.telemetry("thermostat", "t1")


# --- a whole message ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "entry", "device"),
    [
        ("bad_topic", message({"temperature": 1}, "devices/thermostat/t.1/telemetry"), UNKNOWN_DEVICE),
        ("bad_topic", message({"temperature": 1}, None), UNKNOWN_DEVICE),
        ("unknown_device", message({"temperature": 1}, topics.telemetry("thermostat", "t9")), UNKNOWN_DEVICE),
        ("wrong_device_type", message({"temperature": 1}, topics.telemetry("pump", "t1")), T1.key),
        ("device_disabled", message({"temperature": 1}, topics.telemetry("thermostat", "off")), OFF.key),
        ("retained", message({"temperature": 1}, retained=True), T1.key),
        (
            "retained",
            message({"temperature": 1}, topics.telemetry("thermostat", "t9"), retained=True),
            UNKNOWN_DEVICE,
        ),
        ("too_large", message(b" " * (MAX_PAYLOAD_BYTES + 1)), T1.key),
        ("not_json", message(b"{"), T1.key),
        ("too_many_readings", message([{"temperature": 1}] * 1_001), T1.key),
        ("bad_shape", message(b"[]"), T1.key),
    ],
)
def test_a_message_that_cannot_be_taken_apart_is_one_received_and_one_rejected(
    reason: str, entry: Message, device: int
):
    bench = Bench()
    bench.judge(entry)
    assert bench.reasons() == [(reason, None, True)]
    assert bench.judged.refusals[0].device == device
    assert bench.judged.refusals[0].fault.detail
    (arrivals,) = bench.tally.arrivals().items()
    assert arrivals[0] == device
    assert (arrivals[1].received, arrivals[1].rejected, arrivals[1].values_rejected) == (1, 1, 0)
    assert bench.judged.accepted == []
    assert bench.judged.changes == []


def test_the_sender_is_judged_before_its_payload_is_looked_at():
    bench = Bench()
    bench.judge(message(b"\xff", topics.telemetry("thermostat", "off")))
    assert bench.reasons() == [("device_disabled", None, True)]


def test_unknown_devices_share_one_ledger_row():
    bench = Bench()
    bench.judge(*(message({"temperature": 1}, topics.telemetry("thermostat", f"x{n}")) for n in range(5)))
    assert {key: entry.received for key, entry in bench.tally.arrivals().items()} == {UNKNOWN_DEVICE: 5}


def test_a_device_whose_type_is_gone_is_refused():
    bench = Bench()
    del bench.registry.types["thermostat"]
    bench.judge(message({"temperature": 1}))
    assert bench.reasons() == [("wrong_device_type", None, True)]


# --- a reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "element"),
    [
        ("bad_shape", 7),
        ("bad_shape", {"seq": -1, "temperature": 1}),
        ("bad_timestamp", {"ts": True, "temperature": 1}),
        ("timestamp_in_future", {"ts": NOW_MS + FUTURE_TOLERANCE_MS + 1, "temperature": 1}),
        ("timestamp_too_old", {"ts": NOW_MS - THERMOSTAT.retention_ms - 1, "temperature": 1}),
        ("no_values", {}),
        ("no_values", {"temperature": None}),
        ("no_values", {"values": {}}),
    ],
)
def test_a_reading_is_refused_and_its_neighbours_are_not(reason: str, element: object):
    bench = Bench()
    bench.judge(message([{"ts": 1_763_795_000, "temperature": 1}, element, {"temperature": 2}]))
    assert bench.reasons() == [(reason, None, True)]
    assert [reading.values for reading in bench.judged.accepted] == [{"temperature": 1}, {"temperature": 2}]
    arrivals = bench.tally.arrivals()[T1.key]
    assert (arrivals.received, arrivals.rejected, arrivals.values_rejected) == (3, 1, 0)


@pytest.mark.parametrize(
    "refused",
    [
        {"temperature": 999},
        {},
        {"pressure": 1},
        {"ts": True, "temperature": 1},
        {"ts": NOW_MS * 2, "temperature": 1},
        {"ts": NOW_MS + 2, "mode": 5},
    ],
    ids=["value", "empty", "metric", "no time", "future", "timed"],
)
def test_a_reading_that_was_refused_is_not_lost_before_the_hub(refused: dict[str, object]):
    bench = Bench()
    first, last = ({"ts": NOW_MS + n, "seq": n, "temperature": 1} for n in (1, 3))
    bench.judge(message([first, {**refused, "seq": 2}, last]))
    arrivals = bench.tally.arrivals()[T1.key]
    assert (arrivals.received, arrivals.rejected, arrivals.lost_before_hub) == (3, 1, 0)
    assert (arrivals.last_seq, arrivals.holes) == (3, [])


@pytest.mark.parametrize("ts_ms", [NOW_MS + FUTURE_TOLERANCE_MS, NOW_MS - THERMOSTAT.retention_ms])
def test_a_time_at_the_limit_is_taken(ts_ms: int):
    bench = Bench()
    bench.judge(message({"ts": ts_ms, "temperature": 1}))
    assert bench.judged.accepted[0].ts_ms == ts_ms


def test_readings_without_a_time_get_the_arrival_and_never_the_same_twice():
    bench = Bench()
    bench.judge(message([{"temperature": 1}, {"temperature": 2}]), message({"temperature": 3}))
    bench.judge(message({"temperature": 4}, arrived_ms=NOW_MS + 100))
    times = [reading.ts_ms - NOW_MS for reading in bench.judged.accepted]
    assert times == [0, 1, 2, 100]
    assert {reading.received_ms for reading in bench.judged.accepted} == {NOW_MS, NOW_MS + 100}


def test_a_reading_with_no_good_value_is_rejected_with_its_first_reason():
    bench = Bench()
    bench.judge(message({"temperature": 999, "pressure": 1}))
    assert bench.reasons() == [("above_maximum", "temperature", True)]
    arrivals = bench.tally.arrivals()[T1.key]
    assert (arrivals.received, arrivals.rejected, arrivals.values_rejected) == (1, 1, 0)


# --- a value -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "metric", "value"),
    [
        ("unknown_metric", "pressure", 1),
        ("unknown_metric", "p" * 5_000, 1),
        ("wrong_kind", "temperature", "21.5"),
        ("wrong_kind", "temperature", True),
        ("wrong_kind", "temperature", [1]),
        ("wrong_kind", "temperature", {"value": 1}),
        ("wrong_kind", "door", 1),
        ("wrong_kind", "door", "true"),
        ("wrong_kind", "mode", 1),
        ("wrong_kind", "mode", False),
        ("wrong_kind", "mode", "a\0b"),
        ("not_finite", "energy", 1.1e15),
        ("not_finite", "energy", -(10**400)),
        ("too_long", "mode", "x" * 257),
        ("below_minimum", "temperature", -40.5),
        ("above_maximum", "temperature", 86),
    ],
)
def test_a_bad_value_is_refused_and_its_good_neighbours_are_stored(reason: str, metric: str, value: object):
    bench = Bench()
    good = "energy" if metric != "energy" else "temperature"
    bench.judge(message({"seq": 3, "values": {metric: value, good: 20}}))
    assert bench.reasons() == [(reason, metric, False)]
    assert [reading.values for reading in bench.judged.accepted] == [{good: 20}]
    assert len(bench.judged.refusals[0].fault.detail) < 400
    arrivals = bench.tally.arrivals()[T1.key]
    assert (arrivals.received, arrivals.rejected, arrivals.values_rejected) == (1, 0, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused_however_it_came_in(value: float):
    assert judge_values({"energy": value}, THERMOSTAT)[1][0].reason == "not_finite"


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        *(("temperature", -40), ("temperature", 85.0), ("energy", MAX_ABS_NUMBER), ("energy", -(10**15))),
        *(("door", True), ("door", False), ("mode", ""), ("mode", "x" * 256), ("mode", "😀" * 256)),
    ],
)
def test_a_value_at_its_limit_is_taken_as_it_is(metric: str, value: object):
    good, faults = judge_values({metric: value}, THERMOSTAT)
    assert good == {metric: value}
    assert type(good[metric]) is type(value)
    assert faults == []


def test_a_type_may_ignore_metrics_that_it_does_not_know():
    bench = Bench()
    bench.judge(message({"flow": 1, "colour": "red"}, topics.telemetry("pump", "p1")))
    bench.judge(message({"colour": "red"}, topics.telemetry("pump", "p1")))
    assert bench.judged.accepted[0].values == {"flow": 1}
    assert bench.reasons() == [("no_values", None, True)]


@pytest.mark.parametrize("depth", [*range(900, 1_000, 5), 30_000])
def test_a_deeply_nested_value_is_refused_and_raises_nothing(depth: int):
    bench = Bench()
    bench.judge(message(b'{"temperature":' + b"[" * depth + b"]" * depth + b"}"))
    assert bench.reasons()[0][0] in ("wrong_kind", "not_json")


# --- status ------------------------------------------------------------------------------------

STATUS = topics.status("thermostat", "t1")


def test_a_retained_status_that_is_taken_back_says_nothing():
    bench = Bench()
    bench.judge(message(b"", STATUS), message(b"", topics.status("pump", "t1")))
    assert bench.reasons() == []


def test_a_status_is_refused_with_a_reason_and_not_counted():
    bench = Bench()
    bench.judge(message(b"on", STATUS), message(b"\xff", STATUS), message(b" ", STATUS))
    assert bench.reasons() == [("bad_status", None, True)] * 3
    bench.judge(message(b"online", topics.status("pump", "t1")))
    assert bench.reasons()[3:] == [("wrong_device_type", None, True)]
    assert bench.tally.arrivals() == {}
    assert bench.judged.changes == []


def test_the_last_will_of_a_device_that_was_switched_off_or_deleted_is_no_news():
    bench = Bench()
    bench.judge(message(b"offline", topics.status("thermostat", "off")))
    bench.judge(message(b"offline", topics.status("thermostat", "gone")))
    assert not bench.judged


def test_a_status_turns_the_state_and_a_reply_is_left_alone():
    bench = Bench()
    bench.judge(message(b"online", STATUS), message(b"offline", STATUS))
    bench.judge(message({"ok": True}, topics.reply("thermostat", "t1", "c1")))
    assert [(change.state, change.because) for change in bench.judged.changes] == [
        ("online", "status"),
        ("offline", "status"),
    ]
    assert bench.tally.arrivals() == {}


def test_an_accepted_reading_makes_its_device_online_once():
    bench = Bench()
    bench.judge(message({"temperature": 1}), message({"temperature": 2}), message({"temperature": 99}))
    assert [(c.device, c.state, c.since_ms, c.because) for c in bench.judged.changes] == [
        (T1, "online", NOW_MS, "reading")
    ]


def test_a_refused_reading_makes_nobody_online():
    bench = Bench()
    bench.judge(message({"temperature": 999}), message({"temperature": 1}, retained=True))
    assert bench.judged.changes == []


def test_a_type_that_learns_refuses_what_it_has_not_learnt_yet():
    learning = TypeEntry("t", {}, None, 1, "learn")
    assert judge_values({"new": 1}, learning)[1][0].reason == "unknown_metric"
