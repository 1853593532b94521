"""Users, API tokens, sign-in links. Ours from the first migration: they cannot be swapped later."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from knox.models import AbstractAuthToken


class User(AbstractUser):
    """Who signs in: with a password in the browser, with a token over REST."""


class ApiToken(AbstractAuthToken):
    """A knox token with what its owner needs to tell it from others."""

    name = models.CharField(max_length=100, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created"]

    def __str__(self) -> str:
        # Not the digest, which is knox's choice: it is of no use to a reader.
        return self.name or f"token of {self.user}"


class SignInLink(models.Model):
    """A link that signs one user in, once. The row is the permission: using the link deletes it.

    `digest`: SHA-256 of the token in the link, as hex; the token itself is nowhere kept.
    """

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user} until {self.expires_at}"
