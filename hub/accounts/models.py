"""Users and API tokens. Ours from the first migration, because they cannot be swapped later."""

from typing import ClassVar

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
