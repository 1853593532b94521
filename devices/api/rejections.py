"""REST: what the hub refused, and why."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.base import HubView
from devices.api.history_serializers import RejectionSerializer, RejectionsQuery
from devices.api.pagination import RejectionPages
from devices.api.times import iso
from devices.models import Rejection


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
        page = self.page(rejections.order_by("-last_ms", "-id"))
        return self.get_paginated_response([_answer(rejection) for rejection in page])


def _answer(rejection: Rejection) -> dict[str, Any]:
    # PostgreSQL hands a memoryview.
    payload = bytes(rejection.payload)
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
    }
