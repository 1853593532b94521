"""Whatever the bytes are: readings or faults with a documented reason, never an exception."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.limits.telemetry import MAX_PAYLOAD_BYTES, MAX_READINGS_PER_MESSAGE, MAX_SEQ
from hub.protocol.telemetry import Fault, Reading, decode, parse_ts

NOW_MS = 1_763_796_000_123
MESSAGE_REASONS = {"too_large", "not_json", "too_many_readings", "bad_shape"}
READING_REASONS = {"bad_shape", "bad_timestamp"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
almost_readings = st.fixed_dictionaries(
    {}, optional={"ts": json_values, "seq": json_values, "values": json_values, "temperature": json_values}
)


def check(decoded: list[Reading | Fault] | Fault) -> None:
    """What holds for every outcome."""
    if isinstance(decoded, Fault):
        assert decoded.reason in MESSAGE_REASONS
        assert decoded.detail
        return
    assert decoded
    for element in decoded:
        if isinstance(element, Fault):
            assert element.reason in READING_REASONS
            continue
        assert element.ts_ms is None or 0 < element.ts_ms <= MAX_SEQ
        assert element.seq is None or 0 <= element.seq <= MAX_SEQ
        # What was taken can be written again, to browsers and into a database.
        msgspec.json.encode({k: v for k, v in element.values.items() if not isinstance(v, dict | list)})


@given(st.binary(max_size=400))
@example(b"")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1')
def test_decode_never_raises_whatever_the_bytes(payload: bytes):
    check(decode(payload))


@given(st.lists(almost_readings, max_size=5) | almost_readings | json_values)
def test_decode_never_raises_whatever_the_json(document: object):
    check(decode(json.dumps(document).encode(errors="surrogatepass")))


@given(st.text(alphabet='[]{}:,"0123456789.eE+-\\utsefalrn ', max_size=60))
def test_decode_never_raises_for_text_that_looks_like_json(text: str):
    check(decode(text.encode()))


@pytest.mark.parametrize("depth", [*range(950, 1_010, 3), 5_000, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_decoded_or_refused(depth: int, opening: bytes, closing: bytes):
    check(decode(b'{"t":' + opening * depth + b"1" + closing * depth + b"}"))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"21.5 degrees",
        b"{'temperature': 21.5}",
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"temperature": -Infinity}',
        b'{"temperature": 1e999}',
        b'{"temperature": 0' + b"0" * 10 + b"}",
        b'{"temperature": "\xff"}',
        b'{"temperature": "\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b'{"temperature": 21.5} {}',
        b'{"temperature":' + b"1" * 5_000 + b"}",
        b"[" * 20_000,
    ],
    ids=lambda payload: repr(payload[:24]),
)
def test_what_is_not_json_is_refused_as_a_whole(payload: bytes):
    decoded = decode(payload)
    assert isinstance(decoded, Fault)
    assert decoded.reason == "not_json"
    assert decoded.detail.startswith("the payload is not JSON: ")


@pytest.mark.parametrize(
    "text", [r'{"mode":"\ud800"}', r'{"mode":"\udc00x"}', r'{"\ud800":1}', r'["\udfff"]']
)
def test_half_of_a_surrogate_pair_is_refused_where_it_comes_in(text: str):
    """Nothing behind could encode it: neither a frame nor SQLite."""
    decoded = decode(text.encode())
    assert isinstance(decoded, Fault)
    assert decoded.reason == "not_json"


def test_a_whole_surrogate_pair_is_one_character():
    assert decode(rb'{"mode":"\ud83d\ude00"}') == [Reading(None, None, {"mode": "😀"})]


def test_an_integer_of_four_hundred_digits_is_json():
    (reading,) = decode(b'{"energy":1' + b"0" * 400 + b"}")  # type: ignore[misc]
    assert isinstance(reading, Reading)
    assert reading.values == {"energy": 10**400}


def test_a_payload_may_have_64_kib_and_no_more():
    fits = b'{"mode":"' + b"x" * (MAX_PAYLOAD_BYTES - 11) + b'"}'
    assert len(fits) == MAX_PAYLOAD_BYTES
    assert isinstance(decode(fits), list)
    refused = decode(fits + b" ")
    assert isinstance(refused, Fault)
    assert refused.reason == "too_large"
    assert str(MAX_PAYLOAD_BYTES) in refused.detail


def test_a_message_may_have_a_thousand_readings_and_no_more():
    fits = decode(json.dumps([{"t": 1}] * MAX_READINGS_PER_MESSAGE).encode())
    assert isinstance(fits, list)
    assert len(fits) == MAX_READINGS_PER_MESSAGE
    refused = decode(json.dumps([{"t": 1}] * (MAX_READINGS_PER_MESSAGE + 1)).encode())
    assert isinstance(refused, Fault)
    assert refused.reason == "too_many_readings"


@pytest.mark.parametrize(
    ("payload", "got"),
    [(b"21.5", "a number"), (b'"on"', "a string"), (b"true", "a boolean"), (b"null", "null")],
)
def test_a_bare_value_is_no_reading(payload: bytes, got: str):
    decoded = decode(payload)
    assert isinstance(decoded, Fault)
    assert decoded.reason == "bad_shape"
    assert got in decoded.detail


def test_an_empty_array_is_refused_as_a_whole():
    decoded = decode(b"[]")
    assert isinstance(decoded, Fault)
    assert decoded.reason == "bad_shape"


def test_an_array_is_judged_element_by_element():
    first, second, third, fourth = decode(b'[{"t":1}, 7, [{"t":2}], {"ts":-1,"t":3}]')  # type: ignore[misc]
    assert first == Reading(None, None, {"t": 1})
    assert isinstance(second, Fault)
    assert isinstance(third, Fault)
    assert isinstance(fourth, Fault)
    assert [second.reason, third.reason, fourth.reason] == ["bad_shape", "bad_shape", "bad_timestamp"]


# --- the shapes of one reading --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"temperature": 21.5, "humidity": 40.2}', {"temperature": 21.5, "humidity": 40.2}),
        ('{"ts": 1763796000123, "seq": 17, "temperature": 21.5}', {"temperature": 21.5}),
        ('{"values": {"ts": 5, "seq": "x"}, "battery": 3}', {"ts": 5, "seq": "x"}),
        ('{"values": {}}', {}),
        ('{"values": 7, "temperature": 1}', {"values": 7, "temperature": 1}),
        ('{"values": null}', {"values": None}),
        ("{}", {}),
    ],
)
def test_the_envelope_is_told_from_bare_metrics(text: str, values: dict[str, object]):
    (reading,) = decode(text.encode())  # type: ignore[misc]
    assert isinstance(reading, Reading)
    assert reading.values == values


@pytest.mark.parametrize("seq", [0, 17, MAX_SEQ, None])
def test_seq_is_an_integer_up_to_2_to_the_53(seq: int | None):
    (reading,) = decode(json.dumps({"seq": seq, "t": 1}).encode())  # type: ignore[misc]
    assert isinstance(reading, Reading)
    assert reading.seq == seq


@pytest.mark.parametrize("seq", [-1, MAX_SEQ + 1, 10**400, 1.0, True, "17", [1], {}])
def test_any_other_seq_refuses_the_reading(seq: object):
    (fault,) = decode(json.dumps({"seq": seq, "t": 1}).encode())  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert fault.reason == "bad_shape"
    assert "`seq`" in fault.detail


# --- times -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ts", "ts_ms"),
    [
        (1_763_796_000, 1_763_796_000_000),
        (1_763_796_000.1234, 1_763_796_000_123),
        (1_763_796_000_123, 1_763_796_000_123),
        (1_763_796_000_123.6, 1_763_796_000_124),
        (1, 1_000),
        (0.001, 1),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (MAX_SEQ, MAX_SEQ),
        ("2025-11-22T07:20:00.123Z", 1_763_796_000_123),
        ("2025-11-22T08:20:00.123+01:00", 1_763_796_000_123),
        ("2025-11-22 07:20:00.123456+00:00", 1_763_796_000_123),
        ("20251122T072000Z", 1_763_796_000_000),
        ("1970-01-01T00:00:00.001Z", 1),
    ],
)
def test_every_form_of_ts_is_milliseconds_inside(ts: object, ts_ms: int):
    assert parse_ts(ts) == ts_ms
    (reading,) = decode(json.dumps({"ts": ts, "t": 1}).encode())  # type: ignore[misc]
    assert isinstance(reading, Reading)
    assert reading.ts_ms == ts_ms


@pytest.mark.parametrize(
    "ts",
    [
        *(0, -1, -0.5, True, False, 0.0001, 5e-324, 1e308, 10**400, -(10**400), MAX_SEQ + 1, [], {}),
        *("", "now", "1763796000", "2025-11-22T07:20:00", "2025-11-22", "1969-12-31T23:59:59Z"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59x", "2025-13-01T00:00:00Z", "\ud800"),
    ],
)
def test_any_other_ts_is_a_bad_timestamp(ts: object):
    assert parse_ts(ts) is None


@pytest.mark.parametrize("ts", [0, True, "2025-11-22T07:20:00", [], 10**400])
def test_a_bad_timestamp_refuses_the_reading(ts: object):
    (fault,) = decode(json.dumps({"ts": ts, "t": 1}).encode())  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert fault.reason == "bad_timestamp"


def test_without_a_ts_the_hub_gives_the_time():
    assert decode(b'{"ts":null,"t":1}') == decode(b'{"t":1}') == [Reading(None, None, {"t": 1})]


@given(st.one_of(st.floats(), st.integers(), st.text(), st.datetimes().map(str)))
def test_a_time_is_a_positive_integer_or_none(ts: object):
    ts_ms = parse_ts(ts)
    assert ts_ms is None or (type(ts_ms) is int and 0 < ts_ms <= MAX_SEQ)


@given(st.integers(min_value=100_000_000_000, max_value=MAX_SEQ))
def test_milliseconds_come_back_as_they_were(ts_ms: int):
    assert parse_ts(ts_ms) == ts_ms
