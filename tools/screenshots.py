"""The pictures of the README:  python -m tools.screenshots

Starts the demo on free ports with data that goes away, looks at it in Chromium for a minute, and writes
docs/screenshots/{overview,type,device}-{light,dark}.png.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tools.programs import CHROMIUM
from tools.setup import ROOT

PICTURES: Final = ROOT / "docs" / "screenshots"
WIDTH: Final = 1280
MAX_PICTURE_BYTES: Final = 200_000
START_WITHIN_S: Final = 60.0
END_WITHIN_S: Final = 20.0
# The small lines of the overview are kept by the browser, so something must have been seen first.
WATCH_MS: Final = 75_000
SETTLE_MS: Final = 3_000
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
_LINK: Final = re.compile(r"https?://\S+/accounts/link/\S+")


@dataclass(frozen=True, slots=True)
class View:
    """What is on a picture: the address of a page, something that it must show first, its height in px."""

    name: str
    path: str
    shows: str
    height: int


VIEWS: Final = (
    View("overview", "/", ".tile[data-worst=online]", 400),
    View("type", "/types/thermostat/", "#devices .state[data-state=online]", 800),
    View("device", "/devices/power-meter-001/?range=24h", ".readout-value", 800),
)


def free_port() -> int:
    """A port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """`manage.py demo` with its data in `folder`; gives its sign-in link. RuntimeError when none comes."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    env |= {
        "HUB_DATA_DIR": str(folder / "var"),
        "HUB_HTTP_PORT": str(free_port()),
        "HUB_MQTT_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
    }
    output = folder / "demo.log"
    with output.open("wb") as log:
        command = [sys.executable, "manage.py", "demo"]
        demo = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield wait_for_link(demo, output)
    finally:
        demo.send_signal(signal.SIGTERM)
        try:
            demo.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            demo.kill()
            demo.wait()


def wait_for_link(demo: "subprocess.Popen[bytes]", output: Path) -> str:
    """The one-time sign-in link in the demo's output. RuntimeError with the output when none comes."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and demo.poll() is None:
        if found := _LINK.search(output.read_text(errors="replace")):
            return found[0]
        time.sleep(0.1)
    raise RuntimeError(f"The demo printed no sign-in link:\n{output.read_text(errors='replace')}")


def take_pictures(page: Page, link: str) -> None:
    """Signs in, lets the overview run for a while, then takes every view in both schemes."""
    origin = link.split("/accounts/", 1)[0]
    page.goto(link)
    page.wait_for_selector(VIEWS[0].shows, timeout=START_WITHIN_S * 1000)
    page.wait_for_timeout(WATCH_MS)
    for view in VIEWS:
        page.set_viewport_size(ViewportSize(width=WIDTH, height=view.height))
        page.goto(f"{origin}{view.path}")
        page.wait_for_selector("#link-state[data-level=live]")
        page.wait_for_selector(view.shows)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(SETTLE_MS)
            write_picture(PICTURES / f"{view.name}-{scheme}.png", page.screenshot())


def write_picture(path: Path, picture: bytes) -> None:
    """Writes a picture that is small enough for a README. RuntimeError when it is not."""
    if len(picture) > MAX_PICTURE_BYTES:
        raise RuntimeError(f"{path.name} has {len(picture)} bytes; at most {MAX_PICTURE_BYTES} are wanted.")
    path.write_bytes(picture)
    print(f"  {path.relative_to(ROOT)}  {len(picture) // 1000} kB", flush=True)


def main() -> int:
    program = CHROMIUM.locate()
    if program is None:
        print("Chromium is missing; `make setup-test` installs it.", file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    print(f"Starting the demo and watching it for {WATCH_MS // 1000} s", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="hub-pictures-") as folder,
        running_demo(Path(folder)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(locale="en-GB")
        take_pictures(page, link)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
