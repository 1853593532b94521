"""What every REST view of the registry shares: who asks, what they may see, and strict queries."""

import re
from typing import Any, TypeVar

from django.db import models
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from devices.access import Viewer
from devices.models import Device, DeviceType
from hub.protocol.topics import DEVICE_ID_PATTERN, TYPE_SLUG_PATTERN

M = TypeVar("M", bound=models.Model)


class MayChange(BasePermission):
    """Reading is for everyone who sees; changing for who may."""

    message = "Your account may look, but not change anything here."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or Viewer(request.user).may_change


class HubView(GenericAPIView[Any]):
    """A view that shows and changes only what its viewer may."""

    permission_classes = (IsAuthenticated, MayChange)
    filter_backends = ()

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.request.user)

    def query(self, shape: type[serializers.Serializer[Any]], **context: object) -> dict[str, Any]:
        """The query parameters, checked. ValidationError names the bad one."""
        checked = shape(data=self.request.query_params, context={"viewer": self.viewer, **context})
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def body(self, shape: type[serializers.Serializer[Any]], data: Any = None) -> dict[str, Any]:
        """The request's body (or `data` in its place), checked. ValidationError names each bad field."""
        given = self.request.data if data is None else data
        checked = shape(data=given, context={"viewer": self.viewer})
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def changes(self, shape: type[serializers.Serializer[Any]], current: dict[str, Any]) -> dict[str, Any]:
        """What a PATCH body asks to change: checked together with what stays as it is."""
        given = self.request.data
        if not isinstance(given, dict):
            return self.body(shape)
        checked = self.body(shape, {**current, **given})
        return {name: value for name, value in checked.items() if name in given}

    def page(self, rows: QuerySet[M]) -> list[M]:
        """The rows of the page that was asked for. NotFound beyond the last."""
        return list(self.paginate_queryset(rows) or [])

    def find_device(self, uid: str) -> Device:
        """The device with its type. NotFound also for one that this viewer may not see."""
        devices = self.viewer.devices().select_related("device_type")
        # Only names that can exist are asked for: a NUL in one is an error to PostgreSQL.
        device = devices.filter(uid=uid).first() if re.fullmatch(DEVICE_ID_PATTERN, uid) else None
        if device is None:
            raise NotFound(f"There is no device {uid[:100]!r}.")
        return device

    def find_device_type(self, slug: str) -> DeviceType:
        """The type. NotFound also for one that this viewer may not see."""
        types = self.viewer.device_types()
        found = types.filter(slug=slug).first() if re.fullmatch(TYPE_SLUG_PATTERN, slug) else None
        if found is None:
            raise NotFound(f"There is no device type {slug[:100]!r}.")
        return found
