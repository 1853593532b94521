"""REST: devices and their tokens."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from devices import registry
from devices.api.base import HubView
from devices.api.device_serializers import (
    AccountSerializer,
    CreatedDeviceSerializer,
    DeviceAnswer,
    DeviceQuery,
    DeviceSerializer,
    NothingSerializer,
    TokenQuery,
    device_answer,
)
from devices.api.examples import CREATED, DEVICE, NEW_DEVICE
from devices.api.schema import CONFLICT
from devices.models import Device
from devices.mqtt import device_coordinates
from devices.presence_of import presence_of
from devices.selection import select
from devices.snippets import mosquitto_pub


def _answer(device: Device) -> DeviceAnswer:
    return device_answer(device, presence_of([device.pk])[device.pk])


def _account(device: Device, token: str) -> dict[str, Any]:
    """The token, this once, and how to use it."""
    mqtt = device_coordinates(device.device_type.slug, device.uid)
    metrics = device.device_type.metrics.all()
    return {"token": token, "mqtt": mqtt, "mosquitto_pub": mosquitto_pub(mqtt, metrics, token)}


def _created(request: Request, fields: dict[str, Any]) -> Response:
    """201 with the account of a new device. RegistryConflictError when the id is taken."""
    device, token = registry.create_device(fields.pop("id"), **fields)
    address = reverse("api-device", [device.uid], request=request)
    return Response({**_answer(device), **_account(device, token)}, status=201, headers={"Location": address})


class DevicesView(HubView):
    @extend_schema(
        operation_id="devices_list",
        tags=["devices"],
        parameters=[DeviceQuery],
        responses=DeviceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List devices, by id unless `ordering` says otherwise."""
        query = self.query(DeviceQuery)
        devices = select(
            self.viewer.devices(),
            device_type=query.get("device_type"),
            state=query.get("state"),
            labels=query.get("label", ()),
            search=query.get("search", ""),
            ordering=query.get("ordering", "id"),
        )
        page = self.page(devices.select_related("device_type", "clock").prefetch_related("label_set"))
        presence = presence_of(device.pk for device in page)
        return self.get_paginated_response([device_answer(device, presence[device.pk]) for device in page])

    @extend_schema(
        operation_id="devices_create",
        tags=["devices"],
        request=DeviceSerializer,
        responses={201: CreatedDeviceSerializer, 409: CONFLICT},
        examples=[NEW_DEVICE, CREATED],
    )
    def post(self, request: Request) -> Response:
        """Register a device. The answer bears its token, once, and where it connects."""
        return _created(request, self.body(DeviceSerializer))


class DeviceView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="devices_retrieve", tags=["devices"], responses=DeviceSerializer, examples=[DEVICE]
    )
    def get(self, request: Request, device_id: str) -> Response:
        """Read one device and its presence."""
        return Response(_answer(self.find_device(device_id)))

    @extend_schema(
        operation_id="devices_put",
        tags=["devices"],
        request=DeviceSerializer,
        responses={200: DeviceSerializer, 201: CreatedDeviceSerializer, 409: CONFLICT},
        examples=[NEW_DEVICE, CREATED],
    )
    def put(self, request: Request, device_id: str) -> Response:
        """Make the device be what the body says: the same request may be repeated.

        What the body leaves out has its default. 201 with the token when the device is new.
        """
        given = request.data
        fields = self.body(DeviceSerializer, {"id": device_id, **given} if isinstance(given, dict) else None)
        _refuse_another_id(fields["id"], device_id)
        device = self.viewer.devices().filter(uid=device_id).first()
        if device is None:
            return _created(request, fields)
        del fields["id"]
        return Response(_answer(registry.update_device(device, **fields)))

    @extend_schema(
        operation_id="devices_update",
        tags=["devices"],
        request=DeviceSerializer,
        responses={200: DeviceSerializer, 409: CONFLICT},
        examples=[OpenApiExample("switch off", {"enabled": False}, request_only=True)],
    )
    def patch(self, request: Request, device_id: str) -> Response:
        """Change what is given. `labels` replaces all labels; the type changes only without readings."""
        device = self.find_device(device_id)
        changes = self.changes(DeviceSerializer, {**_answer(device)})
        _refuse_another_id(changes.pop("id", device_id), device_id)
        return Response(_answer(registry.update_device(device, **changes)))

    @extend_schema(operation_id="devices_destroy", tags=["devices"], responses={204: None})
    def delete(self, request: Request, device_id: str) -> Response:
        """Delete a device, its token and its rejections at once, its readings soon after."""
        registry.delete_device(self.find_device(device_id))
        return Response(status=204)


class DeviceTokenView(HubView):
    pagination_class = None

    @extend_schema(
        operation_id="devices_token",
        tags=["devices"],
        parameters=[TokenQuery],
        request=NothingSerializer,
        responses={200: AccountSerializer, 409: CONFLICT},
    )
    def post(self, request: Request, device_id: str) -> Response:
        """Give a device a new token. The one before ends at once, or after `grace_s` seconds."""
        device = self.find_device(device_id)
        query = self.query(TokenQuery)
        self.body(NothingSerializer)
        return Response(_account(device, registry.issue_token(device, query["grace_s"])))


def _refuse_another_id(given: str, uid: str) -> None:
    if given != uid:
        raise serializers.ValidationError({"id": "An id stays as it is; leave it out."}, "immutable")
