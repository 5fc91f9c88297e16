"""Progress on a terminal and elsewhere, with and without the work of an earlier run."""

import io

import pytest

from classify.commands.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock in seconds that tests set by hand."""
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def test_progress_on_a_terminal_rewrites_one_line(clock):
    stream = Terminal()
    progress = Progress("features", stream=stream)
    for done in range(1, 101):
        clock[0] += 0.02
        progress(done, 100)
    states = stream.getvalue().split("\r")[1:]
    assert 10 < len(states) < 25  # 2 s at one state each 0.1 s
    assert stream.getvalue().count("\n") == 1
    assert "100/100" in states[-1]
    assert " skies/s" in states[-1]


def test_progress_elsewhere_is_one_line_each_tenth(clock):
    stream = io.StringIO()
    progress = Progress("features", stream=stream)
    for done in range(1001):
        progress(done, 1000)
        clock[0] += 0.125
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "features: 100/1000 skies,  8.00 skies/s, 00:12 elapsed, 01:52 left"
    assert "\r" not in stream.getvalue()


def test_a_notice_is_written_once_before_the_first_state(clock):
    stream = Terminal()
    progress = Progress("features", notice=lambda: "compiling", stream=stream)
    for done in range(3):
        progress(done, 2)
    assert stream.getvalue().startswith("compiling\n\rfeatures:")
    assert stream.getvalue().count("compiling") == 1


@pytest.mark.parametrize(("notice", "done"), [(lambda: None, 0), (lambda: "compiling", 2)])
def test_no_notice_without_a_reason_or_without_work(notice, done):
    stream = io.StringIO()
    Progress("features", notice=notice, stream=stream)(done, 2)
    assert "compiling" not in stream.getvalue()


def test_the_work_of_an_earlier_run_does_not_count_in_the_rate(clock):
    stream = io.StringIO()
    progress = Progress("features", stream=stream)
    progress(900, 1000)
    clock[0] = 10.0
    progress(950, 1000)
    progress(1000, 1000)
    assert "950/1000" not in stream.getvalue()  # no new tenth
    assert stream.getvalue().splitlines()[-1].startswith("features: 1000/1000 skies, 10.00 skies/s")


def test_finished_work_of_an_earlier_run_is_one_line_with_its_note(clock):
    stream = io.StringIO()
    Progress("tune", unit="trials", stream=stream)(4, 4, "log loss 0.1")
    assert stream.getvalue().startswith("tune: 4/4 trials, ")
    assert stream.getvalue().endswith(", log loss 0.1\n")
    assert stream.getvalue().count("\n") == 1


def test_each_of_a_few_skies_is_one_line():
    stream = io.StringIO()
    progress = Progress("features", stream=stream)
    for done in (1, 2, 3, 3):
        progress(done, 3)
    assert len(stream.getvalue().splitlines()) == 3


def test_no_work_at_all_is_one_line():
    stream = io.StringIO()
    Progress("features", stream=stream)(0, 0)
    assert stream.getvalue().count("\n") == 1


def test_stopped_work_ends_its_line_once(clock):
    stream = Terminal()
    progress = Progress("tune", stream=stream)
    progress(1, 2)
    progress.stop()
    progress.stop()
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_a_second_work_has_a_display_of_its_own(stream):
    out, notices = stream(), []
    progress = Progress("predict", stream=out, notice=lambda: notices.append("compiling"))
    for total in (30, 20):
        for done in range(total + 1):
            progress(done, total)
        progress(total, total)
    assert out.getvalue().count("30/30") == 1
    assert out.getvalue().count("20/20") == 1
    assert len(notices) == 1
