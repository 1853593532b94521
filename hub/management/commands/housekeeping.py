"""`manage.py housekeeping`: rollups, retention, deleted devices, Mosquitto's accounts. One a hub."""

import asyncio
import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.history.opening import get_history
from hub.history.store import HistoryStore
from hub.housekeeping import Housekeeping

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Roll up, remove what is no longer kept, and keep Mosquitto's accounts up to date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, to its end, and stop")

    def handle(self, *_args: Any, **options: Any) -> None:
        store = get_history()
        if options["once"]:
            Housekeeping(store).once()
            store.close()
        else:
            asyncio.run(_run(store))


async def _run(store: HistoryStore) -> None:
    task = asyncio.create_task(Housekeeping(store).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    logger.info("Housekeeping: started")
    try:
        await task
    except asyncio.CancelledError:
        logger.info("Housekeeping: ended")
    finally:
        # What a thread is still at ends with it.
        store.close()
