"""Ctrl+C and other signals end a command in one line, whatever it does."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from classify import ending
from classify.cli import main
from darkmatter_features import processes
from darkmatter_features.workers import parallel
from tests.faults.processes import ended, is_alive, started, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals end processes in another way there")

COMMAND = """
import hashlib, sys, time, types
from classify import cli, ending

def run(args):
    print("busy", flush=True)
    {work}

cli.import_module = lambda name: types.SimpleNamespace(add_arguments=lambda parser: None, run=run)
{setting}
sys.argv[1:] = ["train"]
sys.exit(cli.main())
"""

IN_PYTHON = "time.sleep(600)"
IN_A_LIBRARY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
"""Minutes within one call, in which Python runs no handler of signals."""
SWALLOWED = """
    try:
        time.sleep(600)
    except BaseException:
        time.sleep(600)
"""
CONVERTED = """
    try:
        time.sleep(600)
    except BaseException:
        raise ValueError("Invalid bounding box") from None
"""
LEFT_SLOWLY = """
    class Slow:
        def __del__(self):
            time.sleep(600)
    sys.modules["slow"] = types.ModuleType("slow")
    sys.modules["slow"].kept = Slow()
    time.sleep(600)
"""
FAILED_SKY = """
    try:
        time.sleep(600)
    except BaseException:
        return 1
"""


def command(work, setting=""):
    return COMMAND.format(work=work.strip("\n").lstrip(), setting=setting)


@pytest.mark.parametrize(
    "work",
    [IN_PYTHON, IN_A_LIBRARY, SWALLOWED, CONVERTED, FAILED_SKY, LEFT_SLOWLY],
    ids=["python", "library", "swallowed", "converted", "failed sky", "left slowly"],
)
def test_ctrl_c_is_one_line_and_130(work):
    with started(command(work)) as process:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, ["darkmatter: interrupted"])


AT_THE_END = """
    class Slow:
        def __del__(self):
            print("freed", flush=True)
            time.sleep(1.0)
    sys.modules["slow"] = types.ModuleType("slow")
    sys.modules["slow"].kept = Slow()
    return 0
"""


def test_a_signal_after_the_work_leaves_the_exit_code():
    """Python frees its memory for seconds, and then ends by a signal as if it had no handler."""
    with started(command(AT_THE_END)) as process:
        assert process.stdout.readline() == "busy\n"
        assert process.stdout.readline() == "freed\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, [])


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "ended, since its terminal was closed")],
)
def test_other_signals_have_their_own_codes(name, code, line):
    number = getattr(signal, name)
    with started(command(IN_PYTHON), preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as process:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(number)
        assert ended(process) == (code, [f"darkmatter: {line}"])


def test_a_second_ctrl_c_ends_at_once():
    with started(command(IN_A_LIBRARY, "ending.GRACE_SECONDS = 1e6")) as process:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two signals of one number that wait are one
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, ["darkmatter: interrupted"])


def test_a_command_that_ignores_ctrl_c_still_does():
    with started(command(IN_PYTHON), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as process:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (143, ["darkmatter: terminated"])


def test_a_call_from_python_keeps_the_handlers_of_the_caller(capsys):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["config"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def mark_and_sleep(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)


def work_in(folder):
    list(parallel(mark_and_sleep, [(folder,)] * 4, n_jobs=2))


@pytest.mark.parametrize(("name", "code", "line"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_workers_end_with_the_command_and_write_nothing(tmp_path, name, code, line):
    """All of them get the signal, as from a terminal."""
    with started(command(f"from tests.faults.test_signals import work_in; work_in({str(tmp_path)!r})")) as process:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        os.killpg(process.pid, getattr(signal, name))
        assert ended(process) == (code, [f"darkmatter: {line}"])
        until(lambda: not any(map(is_alive, workers)))


def test_processes_that_began_before_the_imports_of_the_command_end_with_it(monkeypatch):
    """What hands out the tasks is imported later."""
    ended_at_once = []
    monkeypatch.delitem(sys.modules, "darkmatter_features.workers")
    monkeypatch.setattr(processes, "end_workers", lambda: ended_at_once.append(True))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as exit_:
        ending.end_now(130)
    assert exit_.value.code == 130
    assert ended_at_once
