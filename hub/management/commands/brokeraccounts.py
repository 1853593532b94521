"""Mosquitto's password and access files, for a broker that runs elsewhere and watches their directory."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub.broker import mosquitto_files as files
from hub.broker.mosquitto import render_accounts, wanted_accounts

_SHOWN = 20


class Command(BaseCommand):
    help = "Write Mosquitto's password and access files into HUB_MOSQUITTO_DIR, or compare them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--sync", action="store_true", help="write what has changed")
        what.add_argument("--check", action="store_true", help="list what differs; exit code 1 if anything")

    def handle(self, *_: object, sync: bool, check: bool, **__: object) -> None:
        directory = Path(settings.HUB_MOSQUITTO_DIR)
        if sync:
            changed = render_accounts(directory)
            self.stdout.write(f"{directory}: {'written' if changed else 'nothing has changed'}.")
        if check:
            found = files.drift(directory, wanted_accounts(directory))
            if found:
                more = f"\n… and {len(found) - _SHOWN} more." if len(found) > _SHOWN else ""
                raise CommandError("\n".join(found[:_SHOWN]) + more)
            self.stdout.write(f"{directory}: as it should be.")
