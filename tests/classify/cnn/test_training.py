"""Training the networks: reproducible, resumable, told line by line, and kept without pickle."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from classify.cnn.history import EpochLine, HistoryWriter
from darkmatter_features.errors import ModelError
from tests.support.cnn_skies import SMALL, sheared_input

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

    with HistoryWriter(tmp_path, tmp_path / "tensorboard", report) as history:
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, report=history)
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_each_network_has_figures_of_its_own_that_average_to_those_told():
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)
    line = found.history[found.best_epoch - 1]
    sizes = np.bincount(found.part)
    one, other = line.networks
    assert line.training_loss == pytest.approx((one[0] + other[0]) / 2)
    assert line.held_out_loss == pytest.approx(np.average([one[2], other[2]], weights=sizes))
    assert line.held_out_accuracy == pytest.approx(np.average([one[3], other[3]], weights=sizes))
    assert one[2] != other[2]
    for k, figures in enumerate(line.networks):
        own = found.part == k
        expected = np.logaddexp(0, np.where(TRAINING.labels[own] == 1, -1, 1) * found.held_out[own]).mean()
        assert figures[2] == pytest.approx(expected, rel=1e-6)


def test_figures_of_networks_are_gone_on_with(tmp_path):
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path)
    again = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)
    assert again.history == found.history
    assert len(again.history[0].networks) == 2


LINES = [EpochLine(n, *np.arange(6.0) + n, networks=((0.5,) * 6, (0.25,) * 6)) for n in (1, 2, 3)]


def test_tensorboard_finds_a_folder_with_one_file_for_each_network_and_for_all(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with HistoryWriter(tmp_path, tmp_path / "tensorboard") as history:
        for line in LINES:
            history(line)
    folders = sorted(path.name for path in (tmp_path / "tensorboard").iterdir())
    assert folders == ["all", "network-1", "network-2"]
    told = {}
    for name in folders:
        assert len(list((tmp_path / "tensorboard" / name).iterdir())) == 1
        events = accumulators.EventAccumulator(str(tmp_path / "tensorboard" / name)).Reload()
        assert len(events.Tags()["scalars"]) == 6
        told[name] = [(event.step, event.value) for event in events.Scalars("loss/held_out")]
    assert told["all"] == [(1, 3.0), (2, 4.0), (3, 5.0)]
    assert told["network-2"] == [(1, 0.25), (2, 0.25), (3, 0.25)]


def test_without_tensorboard_there_are_no_events(tmp_path, monkeypatch):
    monkeypatch.setattr("classify.cnn.history.find_spec", lambda name: None)
    with HistoryWriter(tmp_path, tmp_path / "tensorboard") as history:
        history(LINES[0])
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_events_of_an_earlier_training_are_not_mixed_with_those_of_this_one(tmp_path):
    old = tmp_path / "tensorboard" / "network-9" / "events.out.tfevents.1.host.2.0"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an earlier one")
    with HistoryWriter(tmp_path, tmp_path / "tensorboard"):
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
