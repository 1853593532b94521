"""Addresses of sign-in: REST, and the one-time link. The sign-in page itself is the dashboard's."""

from django.urls import path

from hub.accounts.api import LoginView, LogoutView
from hub.accounts.signin import SignInLinkView

urlpatterns = [
    path("api/v1/auth/login/", LoginView.as_view(), name="api-login"),
    path("api/v1/auth/logout/", LogoutView.as_view(), name="api-logout"),
    path("accounts/link/<str:token>/", SignInLinkView.as_view(), name="sign-in-link"),
]
