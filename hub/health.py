"""/healthz: this process is up. /readyz: it can do its work, or why it cannot.

No sign-in, and nothing secret: reasons name parts, never addresses or errors of theirs.
"""

import asyncio
import functools
import time
from collections.abc import Coroutine
from typing import Any, Final

from channels.layers import get_channel_layer
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from devices.models import BridgeReport
from hub.history.opening import get_history
from hub.history.store import StoreError
from hub.limits.bridge import BRIDGE_ROW_STALE_MS
from hub.limits.registry import HEALTH_CHECK_TIMEOUT_S

REGISTRY_DOWN: Final = "The registry's database does not answer."
NOT_MIGRATED: Final = "Migrations are missing: run `manage.py migrate`."
HISTORY_DOWN: Final = "The history does not answer."
LAYER_DOWN: Final = "The channel layer does not take a message; pages update once a second only."
NO_BRIDGE: Final = "No bridge has reported for {seconds} s: the hub is not receiving."
_PROBE_GROUP: Final = "health"


class NotReadyError(Exception):
    """A part is not there; the text is the reason."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers at all."""
    return JsonResponse({"alive": True})


@never_cache
@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """`{"ready", "reasons"}`: 200, or 503 when this process cannot do its work.

    A silent bridge is told but does not make a web process unready: the pages that say
    "hub not receiving" are to be seen just then.
    """
    checks = {
        REGISTRY_DOWN: asyncio.to_thread(_check_registry),
        HISTORY_DOWN: asyncio.to_thread(_check_history),
        LAYER_DOWN: _check_layer(),
    }
    reasons = [reason for reason in await asyncio.gather(*map(_reason, checks, checks.values())) if reason]
    ready = not reasons
    if REGISTRY_DOWN not in reasons and NOT_MIGRATED not in reasons:
        reasons += await asyncio.to_thread(_bridge_reasons)
    return JsonResponse({"ready": ready, "reasons": reasons}, status=200 if ready else 503)


async def _reason(otherwise: str, check: Coroutine[Any, Any, None]) -> str | None:
    """None when the check passed in time; `otherwise` when it did not answer."""
    task = asyncio.ensure_future(check)
    # Not wait_for: it would wait for the thread that it cannot stop.
    done, _ = await asyncio.wait([task], timeout=HEALTH_CHECK_TIMEOUT_S)
    if not done:
        task.cancel()
        return otherwise
    try:
        task.result()
    except NotReadyError as error:
        return str(error)
    except (Error, StoreError, RedisError, OSError):
        return otherwise
    return None


def _check_registry() -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _check_migrations()
    finally:
        connection.close()


@functools.cache
def _check_migrations() -> None:
    """Remembered once it passed: migrations are not unapplied while we run."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReadyError(NOT_MIGRATED)


def _check_history() -> None:
    get_history().heads("")


async def _check_layer() -> None:
    layer = get_channel_layer()
    if layer is None:
        raise NotReadyError(LAYER_DOWN)
    await layer.group_send(_PROBE_GROUP, {"type": "health.probe"})


def _bridge_reasons() -> list[str]:
    try:
        newest_ms = BridgeReport.objects.aggregate(newest=Max("at_ms"))["newest"] or 0
    except Error:
        return []
    finally:
        connections[DEFAULT_DB_ALIAS].close()
    fresh = time.time_ns() // 1_000_000 - newest_ms <= BRIDGE_ROW_STALE_MS
    return [] if fresh else [NO_BRIDGE.format(seconds=BRIDGE_ROW_STALE_MS // 1000)]
