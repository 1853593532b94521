"""`manage.py runhub`: the whole hub on this machine, without demo data."""

import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from hub import allinone
from hub.static_files import collect_if_changed


class Command(BaseCommand):
    help = "Run web, bridge and broker on this machine. Settings: docs/settings.md."

    def handle(self, *_args: Any, **_options: Any) -> None:
        lock = allinone.lock_data_dir(settings.HUB_DATA_DIR)
        allinone.refuse_taken_ports()
        call_command("migrate", verbosity=0, interactive=False)
        collect_if_changed(self.stdout.write)
        code = allinone.AllInOne(self._started).run()
        lock.close()
        sys.exit(code)

    def _started(self) -> None:
        self.stdout.write(f"Telemetry Hub: {settings.HUB_PUBLIC_URL}   (Ctrl-C ends it)")
        self.stdout.flush()
