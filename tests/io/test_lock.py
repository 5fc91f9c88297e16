"""Folders that one process at a time writes to."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from classify.cli import main
from darkmatter_features.errors import ConfigError
from darkmatter_features.io import lock
from darkmatter_features.io.lock import held

HOLDER = """
import sys, time
from darkmatter_features.io.lock import held
with held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def written(folder, **changes):
    """Write a lock beside a folder, by default that of a process of this machine that runs."""
    given = {"host": socket.gethostname(), "pid": os.getppid(), "since": "2026-01-01T00:00:00+00:00", "ticks": None}
    path = folder.with_name(f".{folder.name}.lock")
    path.write_text(json.dumps(given | changes))
    return path


def test_a_second_process_is_refused_and_the_first_is_named(other, tmp_path):
    with pytest.raises(ConfigError) as found, held(tmp_path / "run"):
        pass
    text = str(found.value)
    assert text.startswith(
        f"{(tmp_path / 'run').as_posix()}: process {other.pid} on {socket.gethostname()} writes to it"
    )
    assert text.endswith("; wait for it, or name another folder")


@pytest.mark.parametrize(
    "command",
    [["simulate", "run", "--training", "1", "--validation", "1"], ["features", "data", "--out", "run"]],
    ids=["simulate", "features"],
)
def test_commands_refuse_a_folder_that_is_held(other, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "training").mkdir(parents=True)
    (tmp_path / "data" / "training" / "sky.png").touch()
    assert main(command) == 2
    assert f"process {other.pid} on" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_lock_of_a_killed_process_is_taken_over(other, tmp_path):
    other.kill()
    other.wait()
    assert (tmp_path / ".run.lock").exists()
    with held(tmp_path / "run"):
        assert json.loads((tmp_path / ".run.lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not lock._ticks(os.getpid()), reason="this system does not give when a process was started")
def test_a_number_that_is_used_again_is_another_process(tmp_path):
    written(tmp_path / "run", ticks=1)
    with held(tmp_path / "run"):
        pass


def test_the_lock_of_another_machine_is_kept_and_named(tmp_path):
    path = written(tmp_path / "run", host="elsewhere", pid=2**22 - 1)
    with (
        pytest.raises(
            ConfigError, match=rf"on elsewhere writes to it .*; if that has ended, delete {path.as_posix()}$"
        ),
        held(tmp_path / "run"),
    ):
        pass
    assert path.exists()


def test_a_lock_that_names_nobody_is_taken_over_when_it_is_old(tmp_path):
    path = tmp_path / ".run.lock"
    path.touch()
    with pytest.raises(ConfigError, match="another process begins to write to it"), held(tmp_path / "run"):
        pass
    os.utime(path, (time.time() - 2.0 * lock.MIN_AGE,) * 2)
    with held(tmp_path / "run"):
        pass


def test_a_folder_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path / "run"):
        raise ZeroDivisionError
    with held(tmp_path / "run"):
        pass


def test_where_no_lock_can_be_written_nothing_is_held(tmp_path, monkeypatch):
    def refused(*args):
        raise PermissionError

    monkeypatch.setattr(os, "open", refused)
    with held(tmp_path / "run"):
        assert list(tmp_path.iterdir()) == []
