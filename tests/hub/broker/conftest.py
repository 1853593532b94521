from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.broker.parts import Book, Client, RunningBroker, running_broker


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def broker(book: Book, tmp_path: Path) -> Iterator[RunningBroker]:
    with running_broker(book, tmp_path) as running:
        yield running


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Makes clients of paho and ends them after the test: `client(port, "d1", will=…)`."""
    made: list[Client] = []

    def make(port: int, username: str, **options: Any) -> Client:
        made.append(Client(port, username, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
