"""Unforeseen errors: a sky's own row in a normal run, the traceback with --debug."""

import pytest

from classify.cli import main
from darkmatter_features.features import extract, measured_parts
from tests.support.synthetic import trained_run, write_images


def broken(*args, **kwargs):
    raise AttributeError("a slip of the programmer")


@pytest.mark.parametrize("jobs", ["1"])
def test_features_record_an_unforeseen_error_and_debug_raises_it(jobs, tmp_path, monkeypatch, capsys):
    write_images(tmp_path / "data", n=4)
    monkeypatch.setattr(measured_parts, "measure", broken)
    argv = ["features", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--jobs", jobs]
    assert main(argv) == 2
    assert "unexpected AttributeError: a slip of the programmer" in capsys.readouterr().err
    assert main([*argv, "--debug"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "in broken" in shown


def test_rows_of_skies_raise_an_unforeseen_error_only_when_debugging(tmp_path, monkeypatch):
    data = write_images(tmp_path / "data", n=1)
    paths = sorted(data.rglob("*.png"))
    monkeypatch.setattr(extract, "measure", broken)
    (row,) = extract.extract_rows(paths, n_jobs=1)
    assert row.error == "unexpected AttributeError: a slip of the programmer"
    with pytest.raises(AttributeError):
        extract.extract_rows(paths, n_jobs=1, debug=True)


@pytest.fixture
def trained(tmp_path):
    """The folder of a data set with a run beside it."""
    data = write_images(tmp_path / "data", n=4)
    trained_run(tmp_path, data, n_training=40, n_validation=4)
    return data


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_commands_with_a_model_raise_an_unforeseen_error_only_when_debugging(command, trained, monkeypatch, capsys):
    monkeypatch.setattr(extract, "measure", broken)
    run = str(trained.parent / "run")
    skies = str(trained / "validation") if command == "predict" else str(trained)
    argv = [command, run, skies, "--jobs", "1"]
    assert main(argv) == 2
    assert "unexpected AttributeError: a slip of the programmer" in capsys.readouterr().err
    assert main([*argv, "--debug"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "in broken" in shown
