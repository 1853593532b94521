from pathlib import Path

import msgspec
import pytest

from hub.broker.state import KeptMessage, KeptSession, State, load, save

STATE = State(
    sessions=[
        KeptSession("hub.bridge", {"devices/#": 1}, [KeptMessage("a", b"\xff", False, 7)], [], []),
    ],
    retained=[("devices/t/d1/status", b"online", 1)],
)


def test_what_was_saved_is_loaded_once(tmp_path: Path):
    path = tmp_path / "broker.state"
    save(path, STATE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path) == STATE
    assert load(path) == State()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        msgspec.msgpack.encode(STATE)[:-5],
        msgspec.msgpack.encode(State(version=99)),
        b"\x91" * 5_000,
    ],
)
def test_a_damaged_file_is_set_aside_with_a_warning(raw: bytes, tmp_path: Path, caplog):
    path = tmp_path / "broker.state"
    path.write_bytes(raw)
    assert load(path) == State()
    assert (tmp_path / "broker.state.damaged").read_bytes() == raw
    assert not path.exists()
    assert "cannot be read" in caplog.text
