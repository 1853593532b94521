"""The application for Daphne, uvicorn, any ASGI server."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
# First, because what comes next has models.
django.setup(set_prefix=False)

from hub.application import make_application  # noqa: E402

application = make_application()
