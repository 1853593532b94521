"""The pages. They render what is registered; everything that moves comes over `/ws/live/` and REST."""

from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from dashboard.first_device import first_device
from devices.access import Viewer
from devices.models import MetricKind
from devices.shapes import device_shape, device_type_shape
from hub.accounts.models import User

LEDGER_ROWS: Final = (
    ("received", "Received", "readings that the broker handed to the hub"),
    ("stored", "Stored", "new readings"),
    ("updated", "Updated", "readings that added to or changed a stored one"),
    ("duplicate", "Duplicate", "readings that were stored already"),
    ("rejected", "Rejected", "readings that were refused, with a reason"),
    ("values_rejected", "Values rejected", "single values refused in readings that were kept"),
    ("pruned", "Pruned", "readings removed because of their age"),
    ("lost_before_hub", "Lost before the hub", "numbers missing in the device's own counter"),
)
"""The ledger as a page shows it: member, name, what it counts. `received` is the sum of the next four."""


def _viewer(request: HttpRequest) -> Viewer:
    user = request.user
    return Viewer(user if isinstance(user, User) else AnonymousUser())


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """A tile per device type; without any, how to register the first device."""
    types = _viewer(request).device_types().annotate(num_devices=Count("devices"))
    context = {"types": types, "first": first_device(settings.HUB_PUBLIC_URL, request.user.get_username())}
    return render(request, "dashboard/overview.html", context)


@require_safe
@login_required
def device_type(request: HttpRequest, slug: str) -> HttpResponse:
    """The devices of a type: live table and live chart. 404 for a type that the viewer does not see."""
    viewer = _viewer(request)
    found = get_object_or_404(viewer.device_types().prefetch_related("metrics"), slug=slug)
    num_devices = viewer.devices().filter(device_type=found).count()
    context = {"device_type": found, "shape": device_type_shape(found), "num_devices": num_devices}
    return render(request, "dashboard/type.html", context)


@require_safe
@login_required
def device(request: HttpRequest, uid: str) -> HttpResponse:
    """One device: values, charts, ledger, rejections. 404 for one that the viewer does not see."""
    devices = _viewer(request).devices().select_related("device_type")
    found = get_object_or_404(devices.prefetch_related("label_set", "device_type__metrics"), uid=uid)
    metrics = [m for m in found.device_type.metrics.all() if m.kind == MetricKind.NUMBER]
    context = {
        "device": found,
        "about": device_shape(found),
        "device_type": found.device_type,
        "type_shape": device_type_shape(found.device_type),
        "number_metrics": metrics,
        "ledger_rows": LEDGER_ROWS,
    }
    return render(request, "dashboard/device.html", context)


@require_safe
@login_required
def rejected(request: HttpRequest) -> HttpResponse:
    """What was refused, and why, newest first."""
    return render(request, "dashboard/rejected.html")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """The icon, for browsers that ask for it by its old name."""
    return redirect(static("dashboard/icon-live.svg"))
