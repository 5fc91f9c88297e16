"""The trial of mutated inputs finds no defect in some inputs of each format, and notices planted ones."""

import sys
from pathlib import Path

import bench_fuzz
import numpy as np
import pytest
from fuzz import mutations, worker
from fuzz.seeds import write_seeds

from darkmatter_features.errors import SkyError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and audit are those of Linux")


def test_some_inputs_of_each_format_have_no_defect(tmp_path):
    trial = bench_fuzz.Trial(tmp_path, 11)
    outcomes = trial.run(len(trial.seeds), 1)
    assert [outcome for outcome in outcomes if outcome[1] not in (worker.REFUSED, worker.ACCEPTED)] == []
    assert {outcome[0] for outcome in outcomes} == {f"{seed.kind}: {seed.form}" for seed in trial.seeds}


def test_the_same_number_gives_the_same_input(tmp_path):
    seeds = write_seeds(tmp_path / "seeds")
    for k, seed in enumerate(seeds):
        first, second = (bench_fuzz.mutate(seed, k, 1, tmp_path / f"{k}-{name}")[0] for name in "ab")
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("form", mutations.MUTATIONS)
def test_mutations_change_their_input(tmp_path, form):
    seed = next(seed for seed in write_seeds(tmp_path) if seed.form == form and seed.name != "template.json")
    data = seed.path.read_bytes()
    changed = [mutations.mutated(form, data, np.random.default_rng(k)) != data for k in range(20)]
    assert np.mean(changed) > 0.7


def planted(error: BaseException):
    def read(path: Path) -> None:
        raise error

    return read


def nested() -> SkyError:
    error = SkyError("sky.png is bad")
    error.__context__ = MemoryError()
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SkyError("sky.png is bad; copy it again"), worker.REFUSED),
        (SkyError("an image is bad"), "unnamed"),
        (SkyError("sky.png is\nbad"), "long"),
        (SkyError("sky.png " + "x" * 2000), "long"),
        (nested(), "memory"),
        (KeyError("x"), "exception"),
        (SystemExit(1), "exception"),
    ],
)
def test_a_planted_error_is_judged(tmp_path, error, expected):
    assert worker._read(planted(error), tmp_path / "sky.png", None)[0] == expected


def test_another_result_is_noticed(tmp_path):
    assert worker._read(lambda path: 1, tmp_path / "x", repr(1))[0] == worker.ACCEPTED
    assert worker._read(lambda path: 2, tmp_path / "x", repr(1))[0] == "wrong"
