"""JSON bodies, bounded in size and depth."""

import io
from collections.abc import Iterable, Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

from hub.limits.registry import MAX_REQUEST_BODY_BYTES, MAX_REQUEST_DEPTH


class BodyTooLarge(APIException):
    """413: more than a JSON body may have."""

    status_code = 413
    default_code = "too_large"
    default_detail = f"The body is too large: at most {MAX_REQUEST_BODY_BYTES} bytes of JSON."


class BoundedJSONParser(JSONParser):
    """DRF's parser reads whatever comes; this one stops."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The document. BodyTooLarge (413), ParseError (400)."""
        body = stream.read(MAX_REQUEST_BODY_BYTES + 1)
        if len(body) > MAX_REQUEST_BODY_BYTES:
            raise BodyTooLarge()
        try:
            document = super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            raise _too_deep() from error
        if _depth_exceeds(document, MAX_REQUEST_DEPTH):
            raise _too_deep()
        return document


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested too deeply: at most {MAX_REQUEST_DEPTH} levels.")


def _depth_exceeds(document: object, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()
