"""`manage.py demo`: the whole hub with 30 simulated devices of 3 types, ready to look at."""

import shutil
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from hub import allinone, demo
from hub.accounts.models import User
from hub.static_files import collect_if_changed

KEPT_AT_RESET = frozenset({"hub.lock", "static"})


class Command(BaseCommand):
    help = "Run the whole hub with simulated devices. A second run keeps what the first one stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--link", action="store_true", help="print another one-time sign-in link, and end")
        only.add_argument("--reset", action="store_true", help="remove the demo's data, and end")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["link"]:
            self._link()
        elif options["reset"]:
            self._reset(settings.HUB_DATA_DIR)
        else:
            self._run()

    def _run(self) -> None:
        lock = allinone.lock_data_dir(settings.HUB_DATA_DIR)
        allinone.refuse_taken_ports()
        self.stdout.write("Preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        collect_if_changed(self.stdout.write)
        password = demo.demo_password(settings.HUB_DATA_DIR)
        user = demo.demo_user(password)
        link = demo.sign_in_link(user, settings.HUB_PUBLIC_URL)
        simulators = demo.Simulators(demo.simulators_token(user))
        code = allinone.AllInOne(lambda: self._started(link, password), [simulators.run]).run()
        lock.close()
        sys.exit(code)

    def _started(self, link: str, password: str) -> None:
        self.stdout.write(
            f"\nTelemetry Hub: {settings.HUB_PUBLIC_URL}   user {demo.USERNAME}, password {password}\n"
            f"Sign in once with this link:  {link}\n"
            f"30 simulated devices come up and fill the last 24 hours.  Ctrl-C ends everything.\n"
        )
        self.stdout.flush()

    def _link(self) -> None:
        user = User.objects.filter(username=demo.USERNAME).first()
        if user is None:
            raise CommandError("There is no demo user yet. Run `make demo` first.")
        url = allinone.running_url(settings.HUB_DATA_DIR)
        if url is None:
            raise CommandError("No demo is running. Run `make demo`; it prints a link.")
        self.stdout.write(demo.sign_in_link(user, url))

    def _reset(self, data_dir: Path) -> None:
        """Empty the data directory. A database elsewhere is not ours to empty."""
        if settings.HUB_DATABASE_URL is not None:
            raise CommandError("HUB_DATABASE_URL is set: empty that database yourself, then run this again.")
        with allinone.lock_data_dir(data_dir):
            for path in data_dir.iterdir():
                if path.name in KEPT_AT_RESET:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        self.stdout.write(f"Removed the demo's data in {data_dir}.")
