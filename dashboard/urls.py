"""Addresses of the pages (design 4.5)."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from dashboard import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("types/<slug:slug>/", views.device_type, name="type"),
    path("devices/<slug:uid>/", views.device, name="device"),
    path("rejected/", views.rejected, name="rejected"),
    path(
        "accounts/login/",
        LoginView.as_view(template_name="dashboard/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    # Pages name their icon; this is for what browsers ask of answers that are no page.
    path("favicon.ico", views.favicon, name="favicon"),
]
