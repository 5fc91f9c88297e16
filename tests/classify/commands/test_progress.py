"""What is said of work under way: on a terminal, elsewhere, and of what an earlier run had done."""

import io

import numpy as np
import pytest

from classify.commands.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_on_a_terminal_rewrites_one_line():
    stream, clock = Terminal(), Clock()
    show = Progress("features", stream=stream, clock=clock)
    for done in range(1, 101):
        clock.now += 0.02
        show(done, 100)
    states = stream.getvalue().split("\r")[1:]
    assert len(states) < 25  # 2 s at one state each 0.1 s, and the last
    assert stream.getvalue().count("\n") == 1
    assert states[1].rstrip() == "features: 6/100 skies, 50.0 skies/s, 2 s left"
    assert states[-1].rstrip() == "features: 100 skies in 2 s (50.0 skies/s)"


def test_a_shorter_state_covers_a_longer_one():
    stream, clock = Terminal(), Clock()
    show = Progress("features", stream=stream, clock=clock)
    clock.now = 1.0
    show(1, 10_000)
    clock.now = 2.0
    show(10_000, 10_000)
    longer, shorter = stream.getvalue().split("\r")[1:]
    assert len(shorter.rstrip("\n")) >= len(longer)


def test_progress_elsewhere_is_at_most_a_line_each_tenth():
    stream, clock = io.StringIO(), Clock()
    show = Progress("features", stream=stream, clock=clock)
    for done in range(1001):
        clock.now += 0.1
        show(done, 1000)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "features: 100/1000 skies, 10.0 skies/s, 1 min 30 s left"
    assert "\r" not in stream.getvalue()


def test_a_notice_stands_once_before_the_first_state():
    stream = Terminal()
    show = Progress("features", notice=lambda: "compiling", stream=stream, clock=Clock())
    for done in range(3):
        show(done, 2)
    assert stream.getvalue().startswith("compiling\n\rfeatures: 0/2")
    assert stream.getvalue().count("compiling") == 1


@pytest.mark.parametrize(("notice", "done"), [(lambda: None, 0), (lambda: "compiling", 2)])
def test_no_notice_without_a_reason_or_without_work(notice, done):
    stream = io.StringIO()
    Progress("features", notice=notice, stream=stream, clock=Clock())(done, 2)
    assert "compiling" not in stream.getvalue()


def test_what_an_earlier_run_had_done_does_not_count_as_speed():
    stream, clock = io.StringIO(), Clock()
    show = Progress("features", stream=stream, clock=clock)
    show(900, 1000)
    clock.now = 10.0
    show(950, 1000)
    show(1000, 1000)
    assert "950/1000" not in stream.getvalue()  # no new tenth
    assert stream.getvalue().splitlines()[-1] == "features: 1000 skies in 10 s (10.0 skies/s)"


def test_work_that_an_earlier_run_had_ended_has_no_speed():
    stream, times = io.StringIO(), iter(np.arange(0.0, 0.1, 0.01))
    show = Progress("tune", unit="trials", stream=stream, clock=lambda: next(times))
    show(4, 4, "log loss 0.1")
    assert stream.getvalue() == "tune: 4 trials in 0 s; log loss 0.1\n"


def test_progress_of_a_few_skies_tells_each_once():
    stream = io.StringIO()
    show = Progress("features", stream=stream, clock=Clock())
    for done in (1, 2, 3, 3):
        show(done, 3)
    assert len(stream.getvalue().splitlines()) == 3


def test_a_line_that_work_left_before_its_end_is_ended_once():
    stream, clock = Terminal(), Clock()
    show = Progress("tune", stream=stream, clock=clock)
    show(1, 2)
    show.stop()
    show.stop()
    show(2, 2)
    show.stop()
    assert stream.getvalue().count("\n") == 2


def test_slow_progress_tells_its_rate_and_a_note():
    stream, clock = io.StringIO(), Clock()
    show = Progress("tune", unit="trials", stream=stream, clock=clock)
    show(0, 10)
    clock.now = 30.0
    show(1, 10, "lowest log loss 0.0246")
    assert stream.getvalue() == "tune: 1/10 trials, 0.033 trials/s, 4 min 30 s left; lowest log loss 0.0246\n"


def test_durations_in_words():
    assert [duration(s) for s in (0.2, 59.4, 75, 3600, 7300)] == ["0 s", "59 s", "1 min 15 s", "1 h 0 min", "2 h 1 min"]
