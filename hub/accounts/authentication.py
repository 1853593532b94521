"""`Authorization: Token …`: knox's authentication, without the header that makes it fail with a 500."""

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class ApiTokenAuthentication(TokenAuthentication):
    def authenticate_credentials(self, token: bytes) -> Any:
        """The user and the token. AuthenticationFailed also for bytes that are no UTF-8."""
        try:
            return super().authenticate_credentials(token)  # type: ignore[no-untyped-call]
        except (UnicodeDecodeError, AuthenticationFailed) as error:
            raise AuthenticationFailed(
                "The token is unknown, expired or revoked. POST /api/v1/auth/login/ answers with a new one."
            ) from error
