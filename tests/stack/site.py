"""The site of docker-compose.yml without containers: the same commands, environments and files, natively.

What differs is where things are: names of containers become loopback addresses with free ports, their
directories become directories of the test.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.parts.compose import compose
from tests.parts.hub_process import ROOT, HubProcess, wait_until
from tests.parts.mosquitto import free_port
from tests.parts.postgres import start_postgres
from tests.parts.redis import start_redis
from tools.programs import SERVER_DIRS

VARIABLES: Final = {
    "HUB_SECRET_KEY": "a key for the tests of the compose file, long enough for Django",
    "HUB_BRIDGE_PASSWORD": "bridgepassword",
    "HUB_POSTGRES_PASSWORD": "postgrespassword",
}
PATH: Final = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"], *SERVER_DIRS))


class Site:
    """Runs services of the file; `moved` says what of the containers' world is where."""

    def __init__(self, folder: Path, moved: dict[str, str]) -> None:
        self.folder = folder
        self.services: dict[str, Any] = compose(VARIABLES)["services"]
        self.http_port = free_port()
        self.mqtt_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._moved = {
            "mosquitto:1883": f"127.0.0.1:{self.mqtt_port}",
            "localhost:1883": f"127.0.0.1:{self.mqtt_port}",
            "/var/lib/hub-accounts": str(folder / "accounts"),
            "/mosquitto/accounts": str(folder / "accounts"),
            "/mosquitto/data": str(folder / "broker"),
            "/mosquitto/config": str(ROOT / "deploy" / "mosquitto"),
            "0.0.0.0": "127.0.0.1",
            **moved,
        }

    def move(self, text: str, **ports: int) -> str:
        """A word of the file as it is said here; `ports`: `p8000=…` for a port of a container's own."""
        for name, port in ports.items():
            text = text.replace(name.removeprefix("p"), str(port))
        for there, here in self._moved.items():
            text = text.replace(there, here)
        return text

    def environment(self, name: str, **ports: int) -> dict[str, str]:
        """A service's own variables and no others of the hub's."""
        given = self.services[name].get("environment", {})
        env = {key: self.move(str(value), **ports) for key, value in given.items()}
        data_dir = self.folder / f"data-{name}-{'-'.join(map(str, ports.values()))}"
        return {
            "PATH": PATH,
            "PYTHONUNBUFFERED": "1",
            "HUB_STATIC_DIR": str(self.folder / "static"),
            **env,
            **({"HUB_DATA_DIR": str(data_dir)} if "HUB_DATA_DIR" in env else {}),
        }

    def command(self, name: str, **ports: int) -> list[str]:
        service = self.services[name]
        words: Sequence[str] = service.get("entrypoint") or service["command"]
        return [self.move(word, **ports) for word in words]

    def run(self, name: str, *command: str) -> str:
        """Run a service to its end, or another command in its place; returns the output."""
        done = subprocess.run(
            command or self.command(name),
            cwd=ROOT,
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def start(self, name: str, **ports: int) -> Iterator[HubProcess]:
        """A service, until the end of the block; ended as `docker compose stop` does."""
        log_file = self.folder / f"{name}-{'-'.join(map(str, ports.values()))}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                self.command(name, **ports),
                cwd=ROOT,
                env=self.environment(name, **ports) | self.where(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        running = HubProcess(process, log_file)
        try:
            yield running
        finally:
            running.stop()

    def where(self, name: str) -> dict[str, str]:
        """What the broker's start script must be told, because its directories are elsewhere."""
        if name != "mosquitto":
            return {}
        return {
            "ACCOUNTS_DIR": str(self.folder / "accounts"),
            "MOSQUITTO_CONF": str(self._mosquitto_conf()),
        }

    def is_healthy(self, name: str, **ports: int) -> bool:
        """Run the service's health check."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        command = [self.move(word, **ports) for word in words]
        done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, timeout=20, check=False)
        return done.returncode == 0

    def _mosquitto_conf(self) -> Path:
        text = self.move((ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text())
        (self.folder / "broker").mkdir(exist_ok=True)
        # Started as root it would become another user, who may not enter the test's directories.
        here = f"listener {self.mqtt_port} 127.0.0.1\nuser root"
        conf = self.folder / "mosquitto.conf"
        conf.write_text(text.replace("listener 1883", here))
        return conf


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class RunningSite:
    """The whole site, up and healthy. `bridges`: port of its health -> process."""

    def __init__(self, site: Site, bridges: dict[int, HubProcess]) -> None:
        self.site = site
        self.bridges = bridges


@contextmanager
def running_site(folder: Path) -> Iterator[RunningSite]:
    """Everything that `docker compose up` starts, in its order."""
    with ExitStack() as stack:
        redis = stack.enter_context(start_redis(folder))
        postgres = stack.enter_context(start_postgres(folder))
        postgres.create_database("hub")
        moved = {"postgres:5432": f"127.0.0.1:{postgres.port}", "redis:6379": f"127.0.0.1:{redis.port}"}
        site = Site(folder, moved)
        site.run("migrate")
        site.run("web", "python", "manage.py", "collectstatic", "--noinput")
        stack.enter_context(site.start("housekeeping"))
        stack.enter_context(site.start("mosquitto"))
        stack.enter_context(site.start("web", p8000=site.http_port))
        # Its own check needs `nc`, which its image brings.
        wait_until(lambda: accepts(site.mqtt_port), 30, what="the broker's listener")
        num_bridges = site.services["bridge"]["deploy"]["replicas"]
        ports = [free_port() for _ in range(num_bridges)]
        bridges = {port: stack.enter_context(site.start("bridge", p8001=port)) for port in ports}
        for port in ports:
            wait_until(lambda port=port: site.is_healthy("bridge", p8001=port), 40, what="a healthy bridge")  # type: ignore[misc]
        wait_until(lambda: site.is_healthy("web", p8000=site.http_port), 40, what="a healthy web process")
        yield RunningSite(site, bridges)
