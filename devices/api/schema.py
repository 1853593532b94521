"""What the OpenAPI document says of every operation without each view repeating it."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from drf_standardized_errors.openapi import AutoSchema

from devices.api.errors import ErrorsSerializer

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_BODY_ERRORS: Final = frozenset({"413", "415"})

CONFLICT: Final = OpenApiResponse(
    ErrorsSerializer,
    "It contradicts what is there.",
    examples=[
        OpenApiExample(
            "already there",
            {
                "type": "client_error",
                "errors": [
                    {
                        "code": "already_exists",
                        "detail": "There is a device 'greenhouse-1' already; "
                        "choose another id, or PATCH that one.",
                        "attr": "id",
                    }
                ],
            },
        )
    ],
)


UNAVAILABLE: Final = OpenApiResponse(ErrorsSerializer, "The history cannot be read right now; ask again.")


class HubSchema(AutoSchema):
    """Tells the one error shape for each status that an operation can answer with."""

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in _BODY_ERRORS and self.method not in WITH_BODY:
            return False
        if status_code == "401":
            # Also where signing in is not asked for: a wrong password is one.
            return status_code not in responses
        if status_code == "400" and self.method not in WITH_BODY:
            # A query can be refused too; this package looks at filter classes only.
            return any(parameter["in"] == "query" for parameter in self._get_parameters())
        return bool(super()._should_add_error_response(responses, status_code))

    def _get_error_response_examples(self) -> list[OpenApiExample]:
        return []
