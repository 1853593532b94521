"""Every refusal in the one shape: `{"type", "errors": [{"code", "detail", "attr"}]}`."""

from django.core.exceptions import RequestDataTooBig
from drf_standardized_errors.handler import ExceptionHandler
from rest_framework import serializers
from rest_framework.exceptions import APIException, ErrorDetail, NotFound

from devices.api.parsers import BodyTooLarge
from devices.models import Device, DeviceType
from devices.registry import RegistryConflictError
from devices.replays import NotReplayableError
from hub.history.store import StoreUnavailableError


class Conflict(APIException):
    """409: what was asked contradicts what is there."""

    status_code = 409

    def __init__(self, error: RegistryConflictError) -> None:
        detail = ErrorDetail(error.detail, error.code)
        super().__init__({error.attr: detail} if error.attr else detail, error.code)


class HistoryUnavailable(APIException):
    """503: the readings cannot be reached now; the same request may work later."""

    status_code = 503
    default_code = "history_unavailable"
    default_detail = "The history cannot be read right now. Ask again in a few seconds."
    wait = 5


class HubExceptionHandler(ExceptionHandler):
    """Knows what the rooms below raise, which know nothing of HTTP."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, RegistryConflictError):
            return Conflict(exc)
        if isinstance(exc, NotReplayableError):
            return Conflict(RegistryConflictError("not_replayable", str(exc)))
        if isinstance(exc, RequestDataTooBig):
            # Django's own limit, which it keeps before our parser sees the body.
            return BodyTooLarge()
        if isinstance(exc, StoreUnavailableError):
            return HistoryUnavailable()
        if isinstance(exc, Device.DoesNotExist | DeviceType.DoesNotExist):
            # Deleted by another between our look and our change.
            return NotFound()
        return super().convert_known_exceptions(exc)


class ErrorSerializer(serializers.Serializer[None]):
    """One thing that was wrong."""

    code = serializers.CharField(help_text="stable, for programs")
    detail = serializers.CharField(help_text="a sentence, for people")
    attr = serializers.CharField(allow_null=True, help_text="the field or parameter it is about")


class ErrorsSerializer(serializers.Serializer[None]):
    """What every refusal looks like."""

    type = serializers.CharField(help_text="validation_error, client_error or server_error")
    # Named like a property of every serializer, which this one is never asked for.
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]
