"""Addresses of the REST API, below /api/v1/."""

from django.urls import path

from devices.api.device_types import DeviceTypesView, DeviceTypeView
from devices.api.devices import DevicesView, DeviceTokenView, DeviceView
from devices.api.history import LatestView, LedgerView, ReadingsView
from devices.api.rejections import RejectionsView, ReplayView

urlpatterns = [
    path("device-types/", DeviceTypesView.as_view(), name="api-device-types"),
    path("device-types/<str:slug>/", DeviceTypeView.as_view(), name="api-device-type"),
    path("devices/", DevicesView.as_view(), name="api-devices"),
    path("devices/<str:device_id>/", DeviceView.as_view(), name="api-device"),
    path("devices/<str:device_id>/token/", DeviceTokenView.as_view(), name="api-device-token"),
    path("devices/<str:device_id>/latest/", LatestView.as_view(), name="api-device-latest"),
    path("devices/<str:device_id>/readings/", ReadingsView.as_view(), name="api-device-readings"),
    path("devices/<str:device_id>/ledger/", LedgerView.as_view(), name="api-device-ledger"),
    path("rejections/", RejectionsView.as_view(), name="api-rejections"),
    path("rejections/<int:rejection_id>/replay/", ReplayView.as_view(), name="api-rejection-replay"),
]
