"""A REST client for tests: JSON in, JSON out, with a token or without."""

from typing import Any

from django.test import Client


class Rest:
    """Asks below /api/v1/. `token` None: nobody is signed in."""

    def __init__(self, token: str | None = None) -> None:
        headers = {"Authorization": f"Token {token}"} if token else {}
        # A refusal is what the test looks at, also when it is a 500.
        self.client = Client(headers=headers, raise_request_exception=False)

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, {} if body is None else body)

    def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """A body that is no str or bytes becomes JSON."""
        return getattr(self.client, method.lower())(f"/api/v1/{path}", body, content_type=content_type)


def only_error(response: Any) -> dict[str, Any]:
    """The one error of a refusal in the one shape."""
    document = response.json()
    assert set(document) == {"type", "errors"}
    (error,) = document["errors"]
    assert set(error) == {"code", "detail", "attr"}
    assert error["detail"].strip()
    return error
