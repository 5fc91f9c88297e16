"""Training the networks: reproducible, resumable, told line by line, and kept without pickle."""

import csv
import json
import shutil
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from cnn_skies import SMALL, sheared_input

from classify.cnn.history import EpochLine, HistoryWriter
from darkmatter_features.errors import ModelError

torch = pytest.importorskip("torch")

from classify.cnn import device, training  # noqa: E402
from classify.cnn.checkpoint import Checkpoint  # noqa: E402
from classify.cnn.training import Skies, train_networks  # noqa: E402
from classify.cnn.weights import from_bytes, to_bytes  # noqa: E402

PROFILE = np.full(60, 0.25)
CONFIG = replace(SMALL, epochs=3, patience=3)


def skies(n: int, seed: int) -> Skies:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    inputs, rows, columns = zip(*[sheared_input(rng, label) for label in labels])
    return Skies(inputs, labels.astype(float), np.array(rows), np.array(columns))


TRAINING, VALIDATION = skies(24, 1), skies(10, 2)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(monkeypatch):
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)
    monkeypatch.setattr(training, "cpu_count", lambda: 1)
    again = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)
    other = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, seed=2))
    assert found.members == again.members
    assert found.history == again.history
    assert found.members != other.members


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    whole = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)

    class Killed(Exception):  # noqa: N818
        pass

    def kill(line: EpochLine) -> None:
        if line.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, report=kill)
    lines: list[EpochLine] = []
    resumed = train_networks(
        TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True, report=lines.append
    )
    assert [line.epoch for line in lines] == [1, 2, 3]
    assert resumed.history == whole.history
    assert resumed.members == whole.members
    assert np.array_equal(resumed.held_out, whole.held_out)


def test_a_checkpoint_holds_numbers_and_text_alone(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1), checkpoint=tmp_path)
    names = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert names == {"state.json", "state.safetensors", "best-0.safetensors", "best-1.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_kill_while_a_checkpoint_is_replaced_costs_nothing(tmp_path, is_replaced):
    """Between the two renamings there is the old one alone, aside; after them both."""
    config = replace(CONFIG, epochs=1)
    train_networks(TRAINING, VALIDATION, PROFILE, config=config, checkpoint=tmp_path)
    aside = tmp_path / ".checkpoint.old"
    (tmp_path / "checkpoint").rename(aside)
    if is_replaced:
        shutil.copytree(aside, tmp_path / "checkpoint")
    key = json.loads((aside / "state.json").read_text())["key"]
    kept = Checkpoint(tmp_path, key)
    history, states, best = kept.read()
    assert len(history) == 1
    kept.write(history, states, best)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="of another training"):
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path)
    state = tmp_path / "checkpoint" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged") as refused:
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)
    assert "\n" not in str(refused.value)


def test_every_sky_is_judged_by_the_network_that_left_it_out(monkeypatch):
    learnt: list[set[int]] = []
    step = training._Member._step

    def watched(member, chosen, mirrors):
        learnt[member.number] |= set(chosen.tolist())
        return step(member, chosen, mirrors)

    learnt += [set(), set()]
    monkeypatch.setattr(training._Member, "_step", watched)
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1))
    for k in (0, 1):
        assert learnt[k] == set(np.flatnonzero(found.part != k).tolist())


def test_validation_labels_decide_nothing():
    turned = replace(VALIDATION, labels=1 - VALIDATION.labels)
    plain, inverted = (train_networks(TRAINING, each, PROFILE, config=CONFIG) for each in (VALIDATION, turned))
    assert plain.members == inverted.members
    assert plain.history != inverted.history


def test_training_stops_when_patience_ends(monkeypatch):
    losses = iter([0.5, 0.3, 0.4, 0.45, 0.2])
    line_of = training.line_of
    monkeypatch.setattr(training, "line_of", lambda *given: replace(line_of(*given), held_out_loss=next(losses)))
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=5, patience=2))
    assert len(found.history) == 4
    assert found.best_epoch == 2


def test_history_is_on_disk_when_a_line_is_told(tmp_path):
    seen = []

    def report(line: EpochLine) -> None:
        with (tmp_path / "history.csv").open() as file:
            seen.append((line.epoch, int(list(csv.DictReader(file))[-1]["epoch"])))

    train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, report=HistoryWriter(tmp_path, report))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_events_are_written_where_tensorboard_is_installed(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, log_dir):
            self.log_dir = log_dir

        def __enter__(self):
            return self

        def __exit__(self, *raised):
            return None

        def add_scalar(self, name, value, step):
            written.append((self.log_dir, name, step))

    monkeypatch.setattr("classify.cnn.history.find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    HistoryWriter(tmp_path)(EpochLine(3, 0.1, 0.9, 0.2, 0.8, 0.3, 0.7))
    assert (str(tmp_path), "loss/held_out", 3) in written
    assert len(written) == 6


def test_events_of_an_earlier_training_are_not_mixed_with_those_of_this_one(tmp_path):
    (tmp_path / "events.out.tfevents.1.host.2.0").write_bytes(b"of an earlier one")
    HistoryWriter(tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_survive_their_bytes():
    (first, _) = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1)).members
    assert to_bytes(from_bytes(first, CONFIG)) == first
    header = json.loads(first[8 : 8 + int.from_bytes(first[:8], "little")])
    assert "added.weight" in header


def test_weights_of_another_shape_are_refused():
    (first, _) = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1)).members
    with pytest.raises(ValueError, match="do not fit"):
        from_bytes(first, replace(CONFIG, width=3))


def test_the_fastest_device_is_taken(monkeypatch):
    for cuda, mps, wanted in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert device.best_device().type == wanted


def test_precision_is_mixed_on_a_gpu_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype, enabled: asked.append((kind, enabled)))
    for kind in ("cuda", "mps", "cpu"):
        device.mixed(torch.device(kind))
    assert asked == [("cuda", True), ("mps", True), ("cpu", False)]


def test_threads_are_given_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with device.one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
