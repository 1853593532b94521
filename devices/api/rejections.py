"""REST: what the hub refused, and why, and taking it once more."""

import time
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from devices import replays
from devices.api.base import HubView
from devices.api.device_serializers import NothingSerializer
from devices.api.history_serializers import RejectionSerializer, RejectionsQuery
from devices.api.pagination import RejectionPages
from devices.api.schema import CONFLICT
from devices.api.times import iso
from devices.models import Rejection, Replay


class RejectionsView(HubView):
    pagination_class = RejectionPages

    @extend_schema(
        operation_id="rejections_list",
        tags=["history"],
        parameters=[RejectionsQuery],
        responses=RejectionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List rejections, newest first: a row per device, reason, metric and 10 minutes."""
        query = self.query(RejectionsQuery)
        rejections = self.viewer.rejections()
        if "device" in query:
            rejections = rejections.filter(uid=query["device"])
        if "reason" in query:
            rejections = rejections.filter(reason=query["reason"])
        page = self.page(replays.with_replays(rejections).order_by("-last_ms", "-id"))
        return self.get_paginated_response([_answer(rejection) for rejection in page])


class ReplayView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="rejections_replay",
        tags=["history"],
        request=NothingSerializer,
        responses={202: RejectionSerializer, 409: CONFLICT},
    )
    def post(self, request: Request, rejection_id: int) -> Response:
        """Ask the hub to take a rejected payload once more, with its first time of arrival.

        The bridge does so within about a second; `replay` of the rejection then says what became of it.
        """
        self.body(NothingSerializer)
        rejections = replays.with_replays(self.viewer.rejections())
        # No database has an id beyond 2^63; SQLite would raise.
        rejection = rejections.filter(pk=rejection_id).first() if rejection_id < 2**63 else None
        if rejection is None:
            raise NotFound(f"There is no rejection {rejection_id}.")
        replay = replays.request(rejection, time.time_ns() // 1_000_000)
        return Response(_answer(rejection, replay), status=202)


def _answer(rejection: Rejection, replay: Replay | None = None) -> dict[str, Any]:
    # PostgreSQL hands a memoryview.
    payload = bytes(rejection.payload)
    replay = replay or getattr(rejection, "replay", None)
    return {
        "id": rejection.pk,
        "device": rejection.uid,
        "device_type": rejection.device_type,
        "known": rejection.device_id is not None,
        "reason": rejection.reason,
        "metric": rejection.metric or None,
        "detail": rejection.detail,
        "count": rejection.count,
        "first": iso(rejection.first_ms),
        "last": iso(rejection.last_ms),
        "payload": payload.decode(errors="replace"),
        "payload_bytes": len(payload),
        "replayable": replays.why_not(rejection) is None,
        "replay": None if replay is None else _replay_answer(replay),
    }


def _replay_answer(replay: Replay) -> dict[str, Any]:
    return {
        "requested": iso(replay.requested_ms),
        "taken": None if replay.taken_ms is None else iso(replay.taken_ms),
        "outcome": replay.outcome or None,
        "stored": replay.stored,
        "updated": replay.updated,
        "duplicate": replay.duplicate,
        "rejected": replay.rejected,
        "reason": replay.reason or None,
        "detail": replay.detail,
    }
