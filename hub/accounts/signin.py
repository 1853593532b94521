"""One-time sign-in links: what `demo` prints, so that nobody has to type a password first."""

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from hub.accounts.models import SignInLink, User
from hub.limits.registry import SIGN_IN_LINK_BYTES, SIGN_IN_LINK_VALID_S

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_USED_OR_EXPIRED = (
    "This sign-in link was used already or has expired. "
    "Sign in with your name and password, or make a new link."
)


def make_link(user: User) -> str:
    """The path of a new link that signs `user` in, once, within 24 h. Expired ones are swept away."""
    token = secrets.token_urlsafe(SIGN_IN_LINK_BYTES)
    now = timezone.now()
    with transaction.atomic():
        SignInLink.objects.filter(expires_at__lte=now).delete()
        SignInLink.objects.create(
            digest=_digest(token), user=user, expires_at=now + dt.timedelta(seconds=SIGN_IN_LINK_VALID_S)
        )
    return reverse("sign-in-link", kwargs={"token": token})


def take(token: str) -> User | None:
    """Whose link it is, and the link is used up by asking; None for a used, expired or invented one."""
    links = SignInLink.objects.filter(
        digest=_digest(token), expires_at__gt=timezone.now(), user__is_active=True
    ).select_related("user")
    link = links.first()
    if link is None:
        return None
    # Who deletes the row has used the link: of two requests at once only one does.
    deleted, _ = SignInLink.objects.filter(pk=link.pk).delete()
    return link.user if deleted else None


@method_decorator(never_cache, name="dispatch")
class SignInLinkView(View):
    """GET signs in and goes to the first page, or to the sign-in page with a sentence."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        user = take(token)
        if user is None:
            messages.error(request, _USED_OR_EXPIRED)
            return redirect(resolve_url(settings.LOGIN_URL))
        login(request, user, backend=_BACKEND)
        return redirect(resolve_url(settings.LOGIN_REDIRECT_URL))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
