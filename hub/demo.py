"""What `manage.py demo` adds to a hub: a user, a sign-in link, and simulated devices."""

import asyncio
import logging
import os
import sys
from pathlib import Path

from django.conf import settings

from hub.accounts.models import ApiToken, User
from hub.accounts.signin import make_link
from hub.kept_secret import kept_secret
from hub.limits.bridge import END_PART_WITHIN_S, SIMULATORS_RESTART_MAX_S

logger = logging.getLogger(__name__)

USERNAME = "demo"
TOKEN_NAME = "simulators"  # noqa: S105 - the name of a token
DEVICES_PER_TYPE = 10
BACKFILL = "24h"
_EXIT_USAGE = 2


def demo_password(data_dir: Path) -> str:
    """HUB_DEMO_PASSWORD, or a random one that stays the same for a data directory."""
    if settings.HUB_DEMO_PASSWORD:
        return str(settings.HUB_DEMO_PASSWORD)
    return kept_secret(data_dir / "demo_password", 9)


def demo_user(password: str) -> User:
    """The user `demo`, who may also use the admin; made at first use."""
    user, _ = User.objects.get_or_create(
        username=USERNAME, defaults={"is_staff": True, "is_superuser": True, "first_name": "Demo"}
    )
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def sign_in_link(user: User, public_url: str) -> str:
    """An address that signs in once."""
    return f"{public_url}{make_link(user)}"


def simulators_token(user: User) -> str:
    """A fresh API token for the simulators; the one of the last run ends."""
    ApiToken.objects.filter(user=user, name=TOKEN_NAME).delete()
    _, token = ApiToken.objects.create(user=user, name=TOKEN_NAME)
    return str(token)


class Simulators:
    """The child process that plays the devices. Started again, more and more slowly, if it dies."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def run(self) -> None:
        """Until cancelled: then the devices say goodbye and the child ends."""
        delay_s = 1.0
        while True:
            child = await self._spawn()
            try:
                code = await child.wait()
            except asyncio.CancelledError:
                await _end(child)
                raise
            if code == _EXIT_USAGE:
                raise RuntimeError("the simulators do not understand how they were called")
            logger.warning(
                "The simulators ended with exit code %s; they start again in %.0f s.", code, delay_s
            )
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, SIMULATORS_RESTART_MAX_S)

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C in the terminal must reach us first. The pipe on its standard
        # input ends with us, whatever ends us, and the child with it.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulators", "run", "--hub", settings.HUB_PUBLIC_URL),
            *("--count", str(DEVICES_PER_TYPE), "--prefix", "", "--backfill", BACKFILL),
            *("--exit-on-stdin-eof", "--quiet"),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
            cwd=settings.BASE_DIR,
            env={**os.environ, "HUB_TOKEN": self._token},
        )


async def _end(child: asyncio.subprocess.Process) -> None:
    """Let the devices say goodbye; kill who does not end."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(END_PART_WITHIN_S - 1.0):
            await child.wait()
    except TimeoutError:
        logger.warning("The simulators did not end in time and were killed.")
        child.kill()
        await child.wait()
