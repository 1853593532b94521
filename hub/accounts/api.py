"""REST sign-in: a name and a password for a token, and the token's end."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, extend_schema
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.accounts.authentication import ApiTokenAuthentication


class LoginSerializer(serializers.Serializer[None]):
    """A user's name and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, style={"input_type": "password"})


class TokenSerializer(serializers.Serializer[None]):
    """A token for the Authorization header, and when it ends."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField()


class LoginView(APIView):
    """Trades a name and a password for a token."""

    # None: a browser's session must neither be needed nor demand its CSRF token here.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="auth_login",
        tags=["auth"],
        auth=[],
        request=LoginSerializer,
        responses={200: TokenSerializer},
        examples=[
            OpenApiExample("sign in", {"username": "demo", "password": "…"}, request_only=True),
            OpenApiExample(
                "a token",
                {
                    "token": "9f4c0c2a5b7e0d3c9f4c0c2a5b7e0d3c9f4c0c2a5b7e0d3c9f4c0c2a5b7e0d3c",
                    "expiry": "2026-11-22T19:20:00Z",
                },
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign in. The token goes into the header `Authorization: Token …` of what follows."""
        form = LoginSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        user = authenticate(request, username=given["username"], password=given["password"])
        if user is None:
            # One sentence for all of it: an unknown name, a wrong password, an account switched off.
            raise AuthenticationFailed("The name and the password do not belong together.")
        kept, token = get_token_model().objects.create(user=user)
        user_logged_in.send(sender=user.__class__, request=request, user=user)
        return Response({"token": token, "expiry": kept.expiry})

    def get_authenticate_header(self, request: Request) -> str:
        """Without it a refusal would be a 403."""
        return "Token"


class LogoutView(APIView):
    """Ends the token that the request bears."""

    authentication_classes = (ApiTokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_logout", tags=["auth"], request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Sign out: this token is not accepted any more."""
        get_token_model().objects.filter(pk=request.auth.pk).delete()
        return Response(status=204)


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the header is told in the OpenAPI document."""

    target_class = "hub.accounts.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token ` and the token that auth/login/ answers with.",
        }
