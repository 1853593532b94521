"""A rejected payload is asked for once more over REST; what became of it is told on its rejection."""

import time
from typing import Any

import pytest

from devices import replays
from devices.models import DeviceClock, Rejection, Replay
from devices.replays import Outcome
from hub.limits.bridge import REPLAYABLE_PER_DEVICE
from tests.devices.conftest import NOW_MS
from tests.parts.rest import Rest, only_error

pytestmark = pytest.mark.django_db


def reject(uid: str = "t1", reason: str = "unknown_metric", **fields: Any) -> Rejection:
    given: dict[str, Any] = {"payload": b'{"humidity": 40}', "last_ms": NOW_MS, "metric": "", **fields}
    return Rejection.objects.create(
        uid=uid, device_type="thermostat", reason=reason, window_ms=given["last_ms"], first_ms=NOW_MS, **given
    )


def replay(api: Rest, rejection: Rejection) -> Any:
    return api.post(f"rejections/{rejection.pk}/replay/")


def listed(api: Rest) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = api.get("rejections/").json()["results"]
    return results


def test_who_asks_is_answered_at_once_and_told_later(api):
    rejection = reject()
    assert [(row["replayable"], row["replay"]) for row in listed(api)] == [(True, None)]
    answer = replay(api, rejection)
    assert answer.status_code == 202
    told = answer.json()["replay"]
    assert (told["taken"], told["outcome"], told["reason"]) == (None, None, None)
    (waiting,) = replays.waiting(10)
    assert (waiting.uid, waiting.type_slug, waiting.payload, waiting.arrived_ms) == (
        "t1",
        "thermostat",
        b'{"humidity": 40}',
        NOW_MS,
    )
    replays.finish(waiting.id, Outcome(stored=2, rejected=1, reason="no_values", detail="why"), NOW_MS + 5)
    (row,) = listed(api)
    assert row["replay"].pop("requested").endswith("Z")
    assert row["replay"] == {
        "taken": "2025-11-22T07:20:00.005Z",
        "outcome": "stored",
        "stored": 2,
        "updated": 0,
        "duplicate": 0,
        "rejected": 1,
        "reason": "no_values",
        "detail": "why",
    }
    assert replays.waiting(10) == []
    assert bytes(Replay.objects.get().payload) == b"", "it is not kept twice for longer than needed"


def test_what_was_asked_for_is_taken_even_if_another_payload_came_since(api):
    rejection = reject()
    replay(api, rejection)
    Rejection.objects.update(payload=b"{", last_ms=NOW_MS + 9)
    assert [(waiting.payload, waiting.arrived_ms) for waiting in replays.waiting(10)] == [
        (b'{"humidity": 40}', NOW_MS)
    ]


def test_to_ask_again_while_it_waits_changes_nothing_and_later_asks_once_more(api):
    rejection = reject()
    first = replay(api, rejection).json()["replay"]
    assert replay(api, rejection).json()["replay"] == first
    replays.finish(replays.waiting(1)[0].id, Outcome(rejected=1, reason="unknown_metric"), NOW_MS)
    assert replay(api, rejection).json()["replay"]["outcome"] is None
    (waiting,) = replays.waiting(10)
    assert waiting.payload == b'{"humidity": 40}'
    assert (Replay.objects.get().reason, Replay.objects.get().rejected) == ("", 0)


def test_the_first_outcome_is_believed():
    replays.request(replays.with_replays(Rejection.objects.filter(pk=reject().pk)).get(), NOW_MS)
    (waiting,) = replays.waiting(1)
    replays.finish(waiting.id, Outcome(stored=1), NOW_MS)
    replays.finish(waiting.id, Outcome(duplicate=1), NOW_MS)
    assert Replay.objects.get().outcome == "stored"


@pytest.mark.parametrize("reason", ["bad_topic", "bad_status", "too_large"])
def test_what_can_never_be_taken_says_why(api, reason):
    rejection = reject(reason=reason)
    assert [row["replayable"] for row in listed(api)] == [False]
    refused = replay(api, rejection)
    assert refused.status_code == 409
    error = only_error(refused)
    assert error["code"] == "not_replayable"
    assert error["detail"].endswith(".")
    assert not Replay.objects.exists()


def test_the_newest_fifty_payloads_of_a_device_can_be_taken(api):
    # Two at every moment: the id decides between them.
    rows = [reject(last_ms=NOW_MS + n // 2, metric=f"m{n}") for n in range(REPLAYABLE_PER_DEVICE + 1)]
    reject("other")
    assert only_error(replay(api, rows[0]))["detail"].startswith("Only the newest 50")
    assert replay(api, rows[1]).status_code == 202
    answer = api.get("rejections/", {"device": "t1", "page_size": 100}).json()["results"]
    assert [row["id"] for row in answer if not row["replayable"]] == [rows[0].pk]


def test_a_rejection_that_does_not_exist_is_not_found(api):
    assert only_error(api.post("rejections/77/replay/"))["detail"] == "There is no rejection 77."
    assert api.post(f"rejections/{2**63}/replay/").status_code == 404
    assert api.post("rejections/x/replay/").status_code == 404
    assert only_error(api.post(f"rejections/{reject().pk}/replay/", {"a": 1}))["attr"] == "a"


def test_a_stranger_may_not_ask(nobody):
    assert replay(nobody, reject()).status_code == 401


def test_the_best_of_its_readings_is_the_outcome_of_a_payload():
    assert Outcome(stored=1, updated=1, duplicate=1, rejected=1).word == "stored"
    assert Outcome(updated=1, duplicate=1, rejected=1).word == "updated"
    assert Outcome(duplicate=1, rejected=1).word == "duplicate"
    assert Outcome(rejected=1).word == "rejected"
    assert Outcome().word == "rejected"


@pytest.mark.parametrize(
    ("skew_ms", "told"), [(None, None), (12_000, 12_000), (-2_001, -2_001), (2_000, None), (-300, None)]
)
def test_a_clock_that_is_off_by_more_than_two_seconds_is_told(api, device, skew_ms, told):
    if skew_ms is not None:
        DeviceClock.objects.create(device=device, skew_ms=skew_ms, at_ms=time.time_ns() // 1_000_000)
    assert api.get("devices/t1/").json()["clock_skew_ms"] == told
    assert [row["clock_skew_ms"] for row in api.get("devices/").json()["results"]] == [told]
    assert api.send("PATCH", "devices/t1/", {"clock_skew_ms": 1, "name": "x"}).json()["clock_skew_ms"] == told
