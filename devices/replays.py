"""Rejected payloads taken once more: asked for by people with a row, which the bridge takes.

A payload is taken as it was when it was asked for, with the time of its first arrival.
"""

from typing import Final

import msgspec
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from devices.models import Rejection, Replay
from hub.limits.bridge import REPLAYABLE_PER_DEVICE
from hub.protocol.reasons import NEVER_REPLAYED

_WHY_NEVER: Final = {
    "bad_topic": "It names no device, so nobody could be given its readings.",
    "bad_status": "It was a status, which says how the device was then, not how it is.",
    "too_large": "It was too large to be kept whole, so it cannot be taken once more.",
}


class NotReplayableError(Exception):
    """This rejection cannot be taken once more; the text says why, for its owner."""


class Requested(msgspec.Struct, frozen=True):
    """A payload that waits to be taken. `id`: of the Replay; `arrived_ms`: when it first came."""

    id: int
    uid: str
    type_slug: str
    payload: bytes
    arrived_ms: int


class Outcome(msgspec.Struct, frozen=True):
    """What became of a replayed payload: how many of its readings were which, and the first refusal."""

    stored: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    reason: str = ""
    detail: str = ""

    @property
    def word(self) -> Replay.Outcome:
        """The best that became of any of its readings."""
        if self.stored:
            return Replay.Outcome.STORED
        if self.updated:
            return Replay.Outcome.UPDATED
        return Replay.Outcome.DUPLICATE if self.duplicate else Replay.Outcome.REJECTED


def with_replays(rejections: QuerySet[Rejection]) -> QuerySet[Rejection]:
    """Rejections with their replay, and with `oldest_ms`: the newest ones of a device, back to here,
    can be replayed; null while all can."""
    beyond = Rejection.objects.filter(uid=OuterRef("uid")).order_by("-last_ms", "-id")
    last = REPLAYABLE_PER_DEVICE - 1
    return rejections.select_related("replay").annotate(
        oldest_ms=Subquery(beyond.values("last_ms")[last : last + 1]),
        oldest_id=Subquery(beyond.values("id")[last : last + 1]),
    )


def why_not(rejection: Rejection) -> str | None:
    """Why a rejection of `with_replays` cannot be taken once more, None when it can."""
    if rejection.reason in NEVER_REPLAYED:
        return _WHY_NEVER[rejection.reason]
    oldest: tuple[int | None, int] = (rejection.oldest_ms, rejection.oldest_id)  # type: ignore[attr-defined]
    if oldest[0] is not None and (rejection.last_ms, rejection.pk) < oldest:
        return f"Only the newest {REPLAYABLE_PER_DEVICE} payloads of a device can be taken once more."
    return None


@transaction.atomic
def request(rejection: Rejection, now_ms: int) -> Replay:
    """Ask the bridge to take the payload of a rejection of `with_replays` once more.

    While it waits, to ask again changes nothing. NotReplayableError.
    """
    if (reason := why_not(rejection)) is not None:
        raise NotReplayableError(reason)
    fresh = {
        "payload": bytes(rejection.payload),
        "arrived_ms": rejection.last_ms,
        "requested_ms": now_ms,
        "taken_ms": None,
        "outcome": "",
        **_columns(Outcome()),
    }
    replay, created = Replay.objects.get_or_create(rejection=rejection, defaults=fresh)
    if not created and replay.outcome:
        Replay.objects.filter(~Q(outcome=""), pk=replay.pk).update(**fresh)
        replay.refresh_from_db()
    return replay


def waiting(limit: int) -> list[Requested]:
    """The oldest payloads that nobody has taken yet, at most `limit`."""
    rows = Replay.objects.filter(outcome="").select_related("rejection").order_by("id")[:limit]
    return [
        Requested(row.pk, row.rejection.uid, row.rejection.device_type, bytes(row.payload), row.arrived_ms)
        for row in rows
    ]


def finish(replay: int, outcome: Outcome, now_ms: int) -> None:
    """Write down what became of a payload; the first to say so is believed."""
    Replay.objects.filter(pk=replay, outcome="").update(
        outcome=outcome.word, taken_ms=now_ms, payload=b"", **_columns(outcome)
    )


def _columns(outcome: Outcome) -> dict[str, object]:
    return msgspec.structs.asdict(outcome)
