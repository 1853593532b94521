"""What pages load: named by content and compressed once collected, as it lies in the tree before that.

Collected files bear a stamp of what they were made from. Does it not fit any more (a file was changed,
the hub was upgraded), pages go back to the files in the tree until `runhub`, `demo` or `manage.py
collectstatic` collect again. With HUB_DEBUG=true nothing is collected.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage

STAMP: Final = "collected"
_RULES: Final = "1"
"""Goes up when the rules below change, so that everything is collected again."""

# Django's own expressions for url(…) and @import in CSS, and for import and export in JavaScript. Source
# maps are not collected, so what points to them is left alone.
_CSS: Final = tuple(each for each in HashedFilesMixin.patterns[0][1] if "sourceMappingURL" not in str(each))
_MODULES: Final = HashedFilesMixin._js_module_import_aggregation_patterns[1]  # type: ignore[attr-defined]


class HubStaticFilesConfig(StaticFilesConfig):
    """Collects what a page of ours loads."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        # Pages that are not in `urls.py`, builds that no page asks for, and what only tools read.
        *("rest_framework", "redoc", "swagger-ui.js", "*-es-*"),
        *("*.map", "*.d.ts", "*.cjs.js", "*.umd.js", "uPlot.iife*"),
    ]


class HubStaticFiles(CompressedManifestStaticFilesStorage):
    """Addresses and compression of static files."""

    # Optimization: only our own modules are looked through for imports. Swagger's bundle alone takes 1.5 s.
    patterns = (("*.css", _CSS), ("dashboard/*.js", _MODULES))
    # One for each step of the longest chain of imports; it ends earlier when nothing changes any more.
    max_post_process_passes = 30
    keep_only_hashed_files = True

    def read_manifest(self) -> str | None:  # type: ignore[override]
        """What was collected; None while that is not up to date."""
        return super().read_manifest() if is_collected() else None

    def stored_name(self, name: str) -> str:
        """What was not collected keeps its name, and is found in the tree."""
        return str(self.hashed_files.get(self.hash_key(self.clean_name(name)), name))

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        stamp = _stamp_file()
        stamp.unlink(missing_ok=True)
        yield from super().post_process(*args, **kwargs)  # type: ignore[no-untyped-call]
        # Last, so that what was interrupted does not count as collected.
        stamp.write_text(stamp_of_sources())


def is_collected() -> bool:
    """Whether the collected files are those of the tree as it is now."""
    stamp = _stamp_file()
    return stamp.exists() and stamp.read_text() == stamp_of_sources()


def collect_if_changed(say: Callable[[str], object]) -> None:
    """Collect when something has changed, and say so. To be called before the application is made."""
    if settings.DEBUG or is_collected():
        return
    say("Compressing the files of the pages …")
    try:
        # Only a directory that we filled is emptied: somebody may have named another by mistake.
        call_command("collectstatic", interactive=False, verbosity=0, clear=_stamp_file().exists())
    except OSError as error:
        say(f"They stay uncompressed: {error}. HUB_STATIC_DIR names a directory that can be written.")


def stamp_of_sources() -> str:
    """A hash over names, sizes and times of everything that would be collected."""
    ignored = apps.get_app_config("staticfiles").ignore_patterns  # type: ignore[attr-defined]
    found = {_RULES}
    for finder in finders.get_finders():
        for path, storage in finder.list(ignored):
            about = os.stat(storage.path(path))
            # Whole seconds: image layers keep no more.
            prefix = getattr(storage, "prefix", None) or ""
            found.add(f"{prefix} {path} {about.st_size} {int(about.st_mtime)}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()


def _stamp_file() -> Path:
    return Path(settings.STATIC_ROOT) / STAMP
