import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from hub.environment import Environment
from hub.limits.registry import DATABASE_CONNECTIONS

ROOT = Path(__file__).resolve().parents[2]


def complaints(env: Environment) -> list[str]:
    with pytest.raises(ImproperlyConfigured) as caught:
        env.finish()
    return str(caught.value).splitlines()


def test_nothing_needs_to_be_set():
    env = Environment({})
    assert env.text("X", "default") == "default"
    assert env.words("X", ["default"]) == ["default"]
    assert env.boolean("X", True) is True
    assert env.choice("X", "a", ("a", "b")) == "a"
    assert env.integer("X", 3, minimum=1) == 3
    assert env.port("X", None) is None
    assert env.slot("X", "main") == "main"
    assert env.url("X", None, schemes=("mqtt",)) is None
    assert env.secret("X", None) is None
    env.finish()


def test_a_variable_that_is_set_to_nothing_counts_as_not_set():
    env = Environment({"X": ""})
    assert env.text("X", "default") == "default"
    assert env.choice("X", "a", ("a", "b")) == "a"
    assert env.integer("X", 3, minimum=1) == 3
    assert env.port("X", 1883) == 1883
    assert env.url("X", None, schemes=("mqtt",)) is None
    env.finish()


@pytest.mark.parametrize(
    ("given", "value"),
    [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False), ("", False)],
)
def test_a_switch_is_understood_in_the_usual_words(given, value):
    assert Environment({"X": given}).boolean("X", not value) is value


def test_a_list_is_separated_by_commas():
    assert Environment({"X": "a, b,,c "}).words("X", []) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("read", "given", "accepts"),
    [
        (lambda env: env.boolean("X", False), "maybe", "true or false"),
        (lambda env: env.choice("X", "a", ("a", "b")), "c", "a | b"),
        (lambda env: env.integer("X", 1, minimum=1), "0", "a whole number from 1 up"),
        (lambda env: env.integer("X", 1, minimum=1), "1.5", "a whole number from 1 up"),
        (lambda env: env.integer("X", 1, minimum=1), "²", "a whole number from 1 up"),
        (lambda env: env.port("X", 1), "65536", "a port from 0 (any free one) to 65535"),
        (lambda env: env.port("X", 1), "-1", "a port from 0 (any free one) to 65535"),
        (lambda env: env.slot("X", "main"), "Main!", "lower-case letters, digits"),
        (lambda env: env.url("X", None, schemes=("mqtt", "mqtts")), "http://a", "mqtt:// or mqtts://"),
        (lambda env: env.url("X", None, schemes=("mqtt",)), "mqtt://", "mqtt://"),
        (lambda env: env.url("X", None, schemes=("mqtt",)), "mqtt://a:port", "mqtt://"),
        (lambda env: env.url("X", None, schemes=("mqtt",)), "mqtt://[a", "mqtt://"),
        (lambda env: env.directory("X", Path("/")), "/proc/nothing/here", "a directory that can be written"),
    ],
)
def test_a_bad_value_is_told_with_its_name_and_what_is_accepted(read, given, accepts):
    env = Environment({"X": given})
    read(env)
    (complaint,) = complaints(env)
    assert complaint.startswith("X: ")
    assert given in complaint
    assert accepts in complaint


def test_every_bad_value_is_told_at_once():
    env = Environment({"A": "maybe", "B": "x"})
    env.boolean("A", False)
    env.port("B", 1)
    assert [line.partition(":")[0] for line in complaints(env)] == ["A", "B"]


def test_a_password_in_a_bad_address_is_not_told():
    env = Environment({"X": "http://ada:secret@host"})
    env.url("X", None, schemes=("mqtt",))
    assert "secret" not in complaints(env)[0]


def test_a_secret_may_lie_in_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("from a file\n")
    assert Environment({"X_FILE": str(path)}).secret("X", None) == "from a file"
    assert Environment({"X_FILE": str(path), "X": "given"}).secret("X", None) == "given"
    assert Environment({"X_FILE": str(path)}).url("X", None, schemes=("mqtt",)) is None


def test_an_address_with_a_password_may_lie_in_a_file(tmp_path):
    path = tmp_path / "address"
    path.write_text("mqtt://hub.bridge:pw@broker\n")
    env = Environment({"X_FILE": str(path)})
    assert env.url("X", None, schemes=("mqtt",)) == "mqtt://hub.bridge:pw@broker"


def test_a_secret_file_that_is_missing_is_told_by_the_name_of_its_variable(tmp_path):
    env = Environment({"X_FILE": str(tmp_path / "nothing")})
    env.secret("X", None)
    assert complaints(env)[0].startswith("X_FILE: ")


def test_a_directory_is_made_and_closed_to_others(tmp_path):
    path = Environment({"X": str(tmp_path / "a" / "b")}).directory("X", tmp_path)
    assert path.is_dir()
    assert path.stat().st_mode & 0o077 == 0


def test_a_key_is_made_once_and_closed_to_others(tmp_path):
    first = Environment({}).generated_secret(tmp_path)
    assert Environment({}).generated_secret(tmp_path) == first
    assert len(first) >= 50
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://localhost:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
        ("hub.example", "http://hub.example:8000"),
    ],
)
def test_people_on_this_machine_are_told_an_address_that_they_can_open(host, address):
    assert Environment.http_url(host, 8000) == address


def test_pages_of_the_public_address_may_open_a_websocket_and_on_loopback_by_each_of_its_names():
    assert Environment.origins_of("https://hub.example") == ["https://hub.example"]
    assert Environment.origins_of("http://localhost:8000") == [
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ]


def test_requests_may_name_the_public_host_and_this_machine():
    assert Environment.hosts_of("https://hub.example") == ["hub.example", "localhost", "127.0.0.1", "[::1]"]


def test_sqlite_begins_its_transactions_as_a_writer(tmp_path):
    config = Environment.database(None, tmp_path / "hub.sqlite3")
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]


def test_postgresql_has_a_pool_and_no_lasting_connections(tmp_path):
    config = Environment.database("postgresql://hub:pw@db:5432/hub", tmp_path / "unused")
    assert (config["HOST"], config["CONN_MAX_AGE"], config["CONN_HEALTH_CHECKS"]) == ("db", 0, True)
    assert config["OPTIONS"]["pool"]["max_size"] == DATABASE_CONNECTIONS


def test_what_a_database_address_asks_for_is_kept(tmp_path):
    config = Environment.database("postgresql://hub@db/hub?sslmode=require", tmp_path / "unused")
    assert config["OPTIONS"]["sslmode"] == "require"


def test_the_history_is_a_file_of_its_own_or_in_the_database_of_the_registry(tmp_path):
    file = tmp_path / "history.sqlite3"
    assert Environment.history_url(None, file) == f"sqlite:///{file}"
    assert Environment.history_url("sqlite:////elsewhere/hub.sqlite3", file) == f"sqlite:///{file}"
    assert Environment.history_url("postgres://hub@db/hub", file) == "postgres://hub@db/hub"


def test_the_channel_layer_is_memory_or_redis():
    memory = Environment.channel_layers(None)["default"]
    assert memory["BACKEND"].endswith("InMemoryChannelLayer")
    redis = Environment.channel_layers("redis://host")["default"]
    assert redis["BACKEND"].endswith("RedisPubSubChannelLayer")
    assert redis["CONFIG"]["hosts"] == [
        {"address": "redis://host", "socket_timeout": 1, "socket_connect_timeout": 1}
    ]


def started(tmp_path, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**ours, "HUB_DATA_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_program_starts_with_no_variable_set(tmp_path):
    assert started(tmp_path).returncode == 0


def test_the_program_stops_at_start_and_tells_every_bad_variable(tmp_path):
    bad = {
        "HUB_HTTP_PORT": "http",
        "HUB_BROKER": "rabbit",
        "HUB_DEBUG": "perhaps",
        "HUB_MQTT_URL": "tcp://broker",
        "HUB_REDIS_URL": "localhost",
        "HUB_DATABASE_URL": "mysql://db",
        "HUB_HISTORY_URL": "csv://file",
        "HUB_FRAME_LOG_MB": "0",
        "HUB_BRIDGE_SLOT": "Main Slot",
        "HUB_SECRET_KEY_FILE": "/nothing/here",
        "HUB_PUBLIC_URL": "hub.example",
    }
    stopped = started(tmp_path, **bad)
    assert stopped.returncode != 0
    for name in bad:
        assert f"{name}: " in stopped.stderr, name
