"""The embedded broker as a process of its own; runhub and demo start it as their child."""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from devices.mqtt import bridge_password
from hub.broker.serving import CannotServeError, allow_many_connections, listen, serve


class Command(BaseCommand):
    help = "Run the embedded MQTT broker on HUB_MQTT_BIND:HUB_MQTT_PORT (loopback only)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--exit-on-stdin-eof",
            action="store_true",
            help="end when standard input is closed, and so together with the process that started it",
        )

    def handle(self, *_: object, exit_on_stdin_eof: bool, **__: object) -> None:
        allow_many_connections()
        state_file = Path(settings.HUB_DATA_DIR) / "broker.state"
        try:
            listening = listen(settings.HUB_MQTT_BIND, settings.HUB_MQTT_PORT)
            run = serve(listening, bridge_password(), state_file, sys.stdout, exit_on_stdin_eof)
            asyncio.run(run)
        except CannotServeError as error:
            raise CommandError(str(error)) from error
