"""A whole hub, its simulators, and a real Chromium. No ORM here: everything goes as a user would."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from tests.parts.hub_process import ROOT, HubEnvironment, wait_until
from tests.parts.mosquitto import free_port
from tools.programs import CHROMIUM

PASSWORD = "a long enough password"


class RunningHub:
    """`manage.py runhub` on free ports, and a user who may sign in."""

    def __init__(self, folder: Path) -> None:
        self.http_port = free_port()
        self.mqtt_port = free_port()
        self.url = f"http://localhost:{self.http_port}"
        self.environment = HubEnvironment(
            folder, HUB_HTTP_PORT=str(self.http_port), HUB_MQTT_PORT=str(self.mqtt_port)
        )
        self.environment.shell(
            "from hub.accounts.models import User\n"
            f"User.objects.create_superuser('ada', password={PASSWORD!r})"
        )
        self.token = ""

    @contextmanager
    def run(self) -> Iterator[None]:
        with self.environment.start("runhub") as process:
            process.wait_for_output("Telemetry Hub:")
            self.token = self._login()
            yield

    def _login(self) -> str:
        answer = httpx.post(
            f"{self.url}/api/v1/auth/login/", json={"username": "ada", "password": PASSWORD}, timeout=10
        )
        answer.raise_for_status()
        return str(answer.json()["token"])

    def rest(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask the REST API as its user; the answer may be a refusal."""
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=10)

    @contextmanager
    def simulators(self, device_type: str, count: int = 3) -> Iterator["subprocess.Popen[bytes]"]:
        """Devices `sim-<type>-001` … that send a reading a second."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulators", "run", "--hub", self.url, "--quiet"),
                *("--device-type", device_type, "--count", str(count), "--interval", "1"),
            ],
            cwd=ROOT,
            env={**self.environment.variables, "HUB_TOKEN": self.token},
        )
        try:
            wait_until(lambda: self.num_online(device_type) == count, 30, what="the devices online")
            yield process
        finally:
            process.terminate()
            process.wait(15)

    def num_online(self, device_type: str) -> int:
        answer = self.rest("GET", f"devices/?device_type={device_type}&state=online")
        return int(answer.json()["count"]) if answer.status_code == 200 else 0

    def mosquitto_pub(self, device: dict[str, str], device_type: str, payload: str) -> None:
        """Publish as one device, with the program that the README names."""
        program = shutil.which("mosquitto_pub")
        assert program is not None, "mosquitto_pub is missing; `make test` installs it"
        subprocess.run(
            [
                *(program, "-h", "127.0.0.1", "-p", str(self.mqtt_port), "-q", "1"),
                *("-i", device["id"], "-u", device["id"], "-P", device["token"]),
                *("-t", f"devices/{device_type}/{device['id']}/telemetry", "-m", payload),
            ],
            check=True,
            timeout=10,
        )


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One hub for every test that does not stop it."""
    running = RunningHub(tmp_path_factory.mktemp("hub"))
    with running.run():
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = CHROMIUM.locate()
    assert program is not None, "Chromium is missing; `make test` installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Pages of a fresh profile, whose console must stay clean but for what is `allowed`."""
    complaints: list[str] = []
    contexts = []

    def on_console(message: ConsoleMessage, allowed: tuple[str, ...]) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in allowed):
            complaints.append(message.text)

    def on_response(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.url}")

    def make(allowed: tuple[str, ...] = ()) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: on_console(message, allowed))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", on_response)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, hub: RunningHub, password: str = PASSWORD) -> None:
    """Sign in on the sign-in page, as a person does."""
    page.goto(hub.url)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def page(new_page: Callable[[], Page], hub: RunningHub) -> Page:
    """A page of somebody who is signed in, at the overview."""
    made = new_page()
    sign_in(made, hub)
    made.get_by_role("heading", name="Overview").wait_for()
    return made
