"""Blocking calls off the loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that reads the database, in a thread of the pool.

    Not in the one thread that all synchronous views share: a large snapshot would hold them up.
    """
    call: Callable[P, object] = database_sync_to_async(function, thread_sensitive=False)
    return await call(*args, **kwargs)  # type: ignore[misc,no-any-return]
