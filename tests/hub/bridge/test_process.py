"""Which process is dead: told only of processes whose numbers we see."""

import subprocess
import sys
from dataclasses import replace

import pytest

from hub.bridge import process
from hub.bridge.process import Process, this_process

HERE = this_process()


@pytest.fixture
def child() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def end(child: "subprocess.Popen[bytes]") -> None:
    child.communicate(b"\n")


def of(child: "subprocess.Popen[bytes]") -> Process:
    started = process._start_of(child.pid)
    assert started is not None
    return replace(HERE, pid=child.pid, started=started)


def test_a_process_that_runs_is_alive_and_one_that_ended_is_dead(child: "subprocess.Popen[bytes]"):
    other = of(child)
    assert not other.is_dead(HERE)
    end(child)
    assert other.is_dead(HERE)


def test_a_process_that_ended_and_that_nobody_buried_is_dead(child: "subprocess.Popen[bytes]"):
    other = of(child)
    child.kill()
    while process._start_of(child.pid) is not None:
        pass
    assert other.is_dead(HERE)
    end(child)


def test_a_number_that_was_given_again_is_another_process():
    assert replace(HERE, started="1").is_dead(HERE)
    assert not HERE.is_dead(HERE)


def test_of_another_machine_or_container_nothing_is_known(child: "subprocess.Popen[bytes]"):
    """Containers have processes of the same number."""
    elsewhere = replace(of(child), machine=f"{HERE.machine} elsewhere")
    end(child)
    assert not elsewhere.is_dead(HERE)


def test_without_a_list_of_processes_a_number_alone_must_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, child: "subprocess.Popen[bytes]"
):
    monkeypatch.setattr(process, "_PROC", tmp_path)
    here = this_process()
    assert here.started == ""
    other = replace(here, pid=child.pid)
    assert not other.is_dead(here)
    assert not replace(here, pid=1).is_dead(here), "a process of somebody else is alive too"
    end(child)
    assert other.is_dead(here)


def test_it_says_who_it_is():
    assert str(replace(HERE, host="plant-1", pid=123)) == "process 123 on host plant-1"
