import os
from pathlib import Path

from devices.credentials import hash_token, matches
from hub.broker import mosquitto_files as files
from hub.broker.accounts import Account, Token

BRIDGES = {"hub.bridge": "secret", "hub.bridge.second": "secret"}


def test_the_password_file_holds_who_may_sign_in_with_the_newest_token():
    new, old, gone = hash_token("new"), hash_token("old"), hash_token("gone")
    table = {
        "two": Account(True, (Token(new), Token(old, 2_000.0))),
        "expired": Account(True, (Token(gone, 999.0),)),
        "disabled": Account(False, (Token(new),)),
        "without": Account(True, ()),
    }
    written = files.users(files.accounts(table, BRIDGES, "", now=1_000.0).passwords)
    assert sorted(written) == ["hub.bridge", "hub.bridge.second", "two"]
    assert written["two"] == new
    assert matches("secret", written["hub.bridge"])


def test_the_same_registry_gives_the_same_text():
    table = {"d1": Account(True, (Token(hash_token("token")),))}
    first = files.accounts(table, BRIDGES, "", now=0)
    assert files.accounts(table, BRIDGES, first.passwords, now=0) == first
    other = files.accounts(table, dict.fromkeys(BRIDGES, "another"), first.passwords, now=0)
    assert matches("another", files.users(other.passwords)["hub.bridge"])


def test_the_bridges_come_first_in_the_access_file():
    acl = files.accounts({}, BRIDGES, "", now=0).acl
    assert acl.startswith("user hub.bridge\ntopic read devices/#\n")
    assert acl.index("user hub.bridge.second") < acl.index("pattern write devices/+/%u/telemetry\n")


def test_a_file_is_replaced_only_when_its_text_has_changed(tmp_path: Path):
    directory = tmp_path / "mosquitto"
    assert files.write(directory, "acl", "one\n")
    before = (directory / "acl").stat()
    assert not files.write(directory, "acl", "one\n")
    assert (directory / "acl").stat().st_mtime_ns == before.st_mtime_ns
    assert files.write(directory, "acl", "two\n")
    assert (directory / "acl").stat().st_ino != before.st_ino
    assert [path.name for path in directory.iterdir()] == ["acl"]


def test_nobody_else_reads_the_password_file(tmp_path: Path):
    files.write(tmp_path, "passwords", "x\n")
    assert (tmp_path / "passwords").stat().st_mode & 0o037 == 0
    if os.geteuid() == 0:
        os.chown(tmp_path, 12_345, 12_345)
        files.write(tmp_path, "passwords", "y\n")
        assert (tmp_path / "passwords").stat().st_uid == 12_345


def test_drift_names_what_is_missing_too_much_and_different(tmp_path: Path):
    wanted = files.Files("same:a\nmissing:b\nchanged:c\n", "rules\n")
    files.write(tmp_path, "passwords", "same:a\nextra:b\nchanged:x\n")
    files.write(tmp_path, "acl", "other rules\n")
    found = files.drift(tmp_path, wanted)
    assert [sentence.split()[0] for sentence in found[:3]] == ["missing", "extra", "changed"]
    assert "acl" in found[3]
    files.write(tmp_path, "passwords", wanted.passwords)
    files.write(tmp_path, "acl", wanted.acl)
    assert files.drift(tmp_path, wanted) == []


def test_without_files_everything_is_missing(tmp_path: Path):
    assert len(files.drift(tmp_path / "nowhere", files.Files("d1:x\n", "rules\n"))) == 2
