"""REST: what devices sent, and what became of it."""

from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.base import HubView
from devices.api.csv_rows import csv_pages
from devices.api.history_serializers import (
    LatestSerializer,
    LedgerSerializer,
    ReadingsQuery,
    ReadingsSerializer,
)
from devices.api.schema import UNAVAILABLE
from devices.api.times import iso
from devices.models import BridgeReport, Device
from hub.history.opening import get_history
from hub.history.store import Ledger

_LEDGER_FIELDS = (
    "received",
    "stored",
    "updated",
    "duplicate",
    "rejected",
    "values_rejected",
    "pruned",
    "lost_before_hub",
    "last_seq",
)


class CsvRenderer(JSONRenderer):
    """Stands for text/csv when the answer is chosen; the lines are streamed past it."""

    media_type = "text/csv"
    format = "csv"


class LatestView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="devices_latest", tags=["history"], responses={200: LatestSerializer, 503: UNAVAILABLE}
    )
    def get(self, request: Request, device_id: str) -> Response:
        """Read the newest value of each metric, by measured time."""
        device = self.find_device(device_id)
        latest = get_history().latest([device.pk]).get(device.pk)
        values = {} if latest is None else latest.values
        return Response(
            {
                "device": device.uid,
                "values": {key: {"value": value, "ts": iso(ts)} for key, (value, ts) in values.items()},
                "received": None if latest is None else iso(latest.received_ms),
            }
        )


class ReadingsView(HubView):
    pagination_class = None
    renderer_classes = (JSONRenderer, CsvRenderer)

    @extend_schema(
        operation_id="devices_readings",
        tags=["history"],
        parameters=[ReadingsQuery],
        responses={
            (200, "application/json"): ReadingsSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
            503: UNAVAILABLE,
        },
    )
    def get(self, request: Request, device_id: str) -> HttpResponseBase:
        """Read history as columns; with `Accept: text/csv` every raw reading, streamed."""
        device = self.find_device(device_id)
        known = list(device.device_type.metrics.values_list("key", flat=True))
        query = self.query(ReadingsQuery, known=known)
        if isinstance(request.accepted_renderer, CsvRenderer):
            return _csv(device, query)
        columns = get_history().read(
            device.pk, query["metrics"], query["from_ms"], query["to_ms"], query["points"]
        )
        return HttpResponse(msgspec.json.encode(columns), content_type="application/json")

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal is JSON, also for who asked for CSV."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)


class LedgerView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="devices_ledger", tags=["history"], responses={200: LedgerSerializer, 503: UNAVAILABLE}
    )
    def get(self, request: Request, device_id: str) -> Response:
        """Read what became of everything that arrived from a device."""
        device = self.find_device(device_id)
        ledger = get_history().ledger([device.pk]).get(device.pk, Ledger())
        counts = {name: getattr(ledger, name) for name in _LEDGER_FIELDS}
        return Response({"device": device.uid, **counts, "hub_wide": _hub_wide()})


def _hub_wide() -> dict[str, int | None]:
    """As the bridge that spoke last heard it from the broker."""
    reports = BridgeReport.objects.exclude(dropped_by_broker=None).order_by("-at_ms")
    return {"dropped_by_broker": reports.values_list("dropped_by_broker", flat=True).first()}


def _csv(device: Device, query: dict[str, Any]) -> StreamingHttpResponse:
    lines = csv_pages(get_history(), device.pk, query["metrics"], query["from_ms"], query["to_ms"])
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{device.uid}.csv"'
    return response
