"""Every address below /api/ that is none, in the one error shape."""

from typing import NoReturn

from django.urls import Resolver404, resolve
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView


class NoSuchAddressView(APIView):
    """404 for every method; says so when only the slash at the end is missing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        path = request.path
        hint = " /api/docs/ lists what there is."
        if not path.endswith("/") and _is_one(f"{path}/"):
            hint = f" Addresses end with a slash: {path[:200]}/"
        raise NotFound(f"There is no {path[:200]}.{hint}")


def _is_one(path: str) -> bool:
    try:
        return resolve(path).func.__name__ != NoSuchAddressView.__name__
    except Resolver404:
        return False
