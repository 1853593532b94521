"""From the command to the first reading on the screen: `make demo`, set-up done before.

    .venv/bin/python -m tests.bench.first_reading [--rounds 3]

The clock runs from the start of the command to a tile that counts a device as online, which only a
reading of this run makes it. A Chromium that runs already follows the printed link as soon as it is there.
Design section 8: must 8 s, goal 4 s.
"""

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.parts.hub_process import ROOT
from tests.parts.mosquitto import free_port
from tools.programs import CHROMIUM

LINK: Final = re.compile(r"https?://\S+/accounts/link/\S+")
WITHIN_S: Final = 60.0
READING: Final = ".tile .state[data-state=online]:not([data-zero])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds: int = parser.parse_args().rounds
    program = CHROMIUM.locate()
    assert program is not None, "Chromium is missing; `make setup-test` installs it"
    with tempfile.TemporaryDirectory(prefix="hub-first-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for number in range(rounds + 1):
            name = "with stored data" if number else "the first time (no data, nothing compressed yet)"
            link_s, page_s, reading_s = measure(browser, Path(folder))
            print(
                f"{name:50} link {link_s:.1f} s, page {page_s:.1f} s, reading {reading_s:.1f} s"
                f"{'   (must 8, goal 4)' if number else ''}",
                flush=True,
            )
        browser.close()


def measure(browser: Browser, folder: Path) -> tuple[float, float, float]:
    """Seconds from the command to the printed link, to the page, and to the first reading on it."""
    page = browser.new_page()
    started_s = time.monotonic()
    with make_demo(folder) as (demo, output):
        link = wait_for_link(demo, output)
        link_s = time.monotonic() - started_s
        page.goto(link)
        page_s = time.monotonic() - started_s
        page.wait_for_selector(READING, timeout=WITHIN_S * 1000)
        reading_s = time.monotonic() - started_s
        page.close()
    return link_s, page_s, reading_s


@contextmanager
def make_demo(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """`make demo` on free ports, its data in `folder`; ended by Ctrl-C. Gives process and output."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    env |= {
        "HUB_DATA_DIR": str(folder / "var"),
        "HUB_HTTP_PORT": str(free_port()),
        "HUB_MQTT_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
    }
    output = folder / "demo.log"
    with output.open("wb") as log:
        demo = subprocess.Popen(
            ["make", "demo"], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield demo, output
    finally:
        # The group, as a terminal does: make, and what it has started.
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(30)


def wait_for_link(demo: "subprocess.Popen[bytes]", output: Path) -> str:
    """The one-time sign-in link. AssertionError with the output when none comes."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := LINK.search(output.read_text(errors="replace"))):
        running = demo.poll() is None and time.monotonic() < deadline
        assert running, output.read_text(errors="replace")
        time.sleep(0.01)
    return found[0]


if __name__ == "__main__":
    main()
