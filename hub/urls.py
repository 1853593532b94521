"""All addresses of the hub."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import include, path, re_path
from django.urls.resolvers import URLPattern, URLResolver
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from devices.api.not_found import NoSuchAddressView
from hub.health import healthz, readyz

# The page comes with a style of its own in the page, which only here is let through.
_api_docs = csp_update({"style-src": ["'unsafe-inline'"]})(
    SpectacularSwaggerSplitView.as_view(url_name="api-schema")
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", _api_docs, name="api-docs"),
    path("api/v1/", include("devices.api.urls")),
    path("", include("hub.accounts.urls")),
    re_path(r"^api/", NoSuchAddressView.as_view(), name="api-nothing"),
    path("", include("dashboard.urls")),
]
