"""REST: device types."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from devices import registry
from devices.api.base import HubView
from devices.api.schema import CONFLICT
from devices.api.type_serializers import DeviceTypeQuery, DeviceTypeSerializer
from devices.shapes import device_type_shape

_EXAMPLE = OpenApiExample(
    "a thermostat",
    {
        "slug": "thermostat",
        "name": "Thermostat",
        "description": "",
        "expected_interval_s": 60,
        "retention_days": 30,
        "unknown_metrics": "reject",
        "metrics": [
            {
                "key": "temperature",
                "name": "Temperature",
                "kind": "number",
                "unit": "°C",
                "minimum": -40,
                "maximum": 85,
                "precision": 1,
            }
        ],
    },
)


class DeviceTypesView(HubView):
    @extend_schema(
        operation_id="device_types_list",
        tags=["device types"],
        parameters=[DeviceTypeQuery],
        responses=DeviceTypeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List device types, by slug."""
        search = self.query(DeviceTypeQuery).get("search", "")
        types = self.viewer.device_types().prefetch_related("metrics").order_by("slug")
        if search:
            types = types.filter(Q(slug__icontains=search) | Q(name__icontains=search))
        return self.get_paginated_response([device_type_shape(each) for each in self.page(types)])

    @extend_schema(
        operation_id="device_types_create",
        tags=["device types"],
        request=DeviceTypeSerializer,
        responses={201: DeviceTypeSerializer, 409: CONFLICT},
        examples=[_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Register a device type with its metrics."""
        created = registry.create_device_type(**self.body(DeviceTypeSerializer))
        address = reverse("api-device-type", [created.slug], request=request)
        return Response(device_type_shape(created), status=201, headers={"Location": address})


class DeviceTypeView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="device_types_retrieve", tags=["device types"], responses=DeviceTypeSerializer
    )
    def get(self, request: Request, slug: str) -> Response:
        """Read one device type."""
        return Response(device_type_shape(self.find_device_type(slug)))

    @extend_schema(
        operation_id="device_types_update",
        tags=["device types"],
        request=DeviceTypeSerializer,
        responses={200: DeviceTypeSerializer, 409: CONFLICT},
        examples=[OpenApiExample("slower", {"expected_interval_s": 300}, request_only=True)],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is given. `metrics` replaces the list, matched by key."""
        current: dict[str, Any] = {**device_type_shape(self.find_device_type(slug))}
        changes = self.changes(DeviceTypeSerializer, current)
        if changes.pop("slug", slug) != slug:
            raise serializers.ValidationError({"slug": "A slug stays as it is; leave it out."}, "immutable")
        return Response(device_type_shape(registry.update_device_type(slug, **changes)))

    @extend_schema(
        operation_id="device_types_destroy", tags=["device types"], responses={204: None, 409: CONFLICT}
    )
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a device type that has no devices."""
        registry.delete_device_type(self.find_device_type(slug).slug)
        return Response(status=204)
