"""Training of the networks: reproducible, resumable, recorded line by line, and stored without pickle."""

import csv
import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

from classify.cnn.history import EpochLine, HistoryWriter
from darkmatter_features.errors import ModelError
from tests.support.cnn_skies import SMALL, sheared_input

torch = pytest.importorskip("torch")

from classify.cnn import device, member, training, weights  # noqa: E402
from classify.cnn.checkpoint import Checkpoint  # noqa: E402
from classify.cnn.member import Skies  # noqa: E402
from classify.cnn.network import LensNet  # noqa: E402
from classify.cnn.training import train_networks  # noqa: E402
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


def test_a_resumed_training_gives_the_results_of_an_unstopped_one(tmp_path):
    unstopped = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)

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
    assert resumed.history == unstopped.history
    assert resumed.members == unstopped.members
    assert np.array_equal(resumed.held_out, unstopped.held_out)


def test_the_networks_are_evaluated_every_few_epochs_and_after_the_last():
    config = replace(CONFIG, epochs=5, patience=5)
    lines = {n: train_networks(TRAINING, VALIDATION, PROFILE, config=replace(config, evaluate_every=n)).history
             for n in (1, 2)}  # fmt: skip
    assert [line.epoch for line in lines[2] if line.is_evaluated] == [2, 4, 5]
    for often, seldom in zip(lines[1], lines[2], strict=True):
        assert seldom.figures[:2] == often.figures[:2]
        assert seldom == often if seldom.is_evaluated else np.isnan(seldom.figures[2:]).all()


def test_a_training_stopped_between_evaluations_resumes_from_the_last_one(tmp_path):
    config = replace(CONFIG, epochs=4, patience=4, evaluate_every=2)
    unstopped = train_networks(TRAINING, VALIDATION, PROFILE, config=config)

    def stop(line: EpochLine) -> None:
        if line.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_networks(TRAINING, VALIDATION, PROFILE, config=config, checkpoint=tmp_path, report=stop)
    assert len(json.loads((tmp_path / "checkpoint" / "state.json").read_text())["history"]) == 2
    resumed = train_networks(TRAINING, VALIDATION, PROFILE, config=config, checkpoint=tmp_path, resume=True)
    assert resumed.members == unstopped.members
    assert repr(resumed.history) == repr(unstopped.history)  # nan differs from nan


def test_a_network_waits_for_its_own_epochs_alone(monkeypatch):
    """Two threads and three networks: the first network begins its second epoch before the third ends its first."""
    begun, waits = [], threading.Event()
    train_epoch = member.Member.train_epoch

    def watched(self, epoch):
        begun.append((self.number, epoch))
        if (self.number, epoch) == (0, 1):
            waits.set()
        if (self.number, epoch) == (2, 0):
            assert waits.wait(30)
        return train_epoch(self, epoch)

    monkeypatch.setattr(member.Member, "train_epoch", watched)
    monkeypatch.setattr(training, "cpu_count", lambda: 2)
    config = replace(CONFIG, n_folds=3, epochs=2, evaluate_every=2)
    train_networks(TRAINING, VALIDATION, PROFILE, config=config)
    assert [epoch for number, epoch in begun if number == 1] == [0, 1]


def test_a_checkpoint_holds_numbers_and_text_alone(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1), checkpoint=tmp_path)
    names = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert names == {"state.json", "state.safetensors", "best-0.safetensors", "best-1.safetensors"}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_kill_while_a_checkpoint_is_replaced_loses_nothing(tmp_path, is_replaced):
    """Between the two renamings only the old checkpoint exists, set aside; after them both exist."""
    config = replace(CONFIG, epochs=1)
    train_networks(TRAINING, VALIDATION, PROFILE, config=config, checkpoint=tmp_path)
    old = tmp_path / ".checkpoint.old"
    (tmp_path / "checkpoint").rename(old)
    if is_replaced:
        shutil.copytree(old, tmp_path / "checkpoint")
    key = json.loads((old / "state.json").read_text())["key"]
    store = Checkpoint(tmp_path, key)
    history, states, best = store.read()
    assert len(history) == 1
    store.write(history, states, best)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="belongs to another training"):
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path):
    train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path)
    state = tmp_path / "checkpoint" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged") as refused:
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)
    assert "\n" not in str(refused.value)


def test_no_network_trains_on_the_skies_that_it_leaves_out(monkeypatch):
    trained_on: list[set[int]] = [set(), set()]
    step = member.Member._step

    def watched(self, chosen, mirrors):
        trained_on[self.number] |= set(chosen.tolist())
        return step(self, chosen, mirrors)

    monkeypatch.setattr(member.Member, "_step", watched)
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1))
    for k in (0, 1):
        assert trained_on[k] == set(np.flatnonzero(found.fold != k).tolist())


def test_validation_labels_change_no_network():
    wrong = replace(VALIDATION, labels=1 - VALIDATION.labels)
    plain, inverted = (train_networks(TRAINING, each, PROFILE, config=CONFIG) for each in (VALIDATION, wrong))
    assert plain.members == inverted.members
    assert plain.history != inverted.history


def test_training_stops_when_patience_ends(monkeypatch):
    losses = iter([0.5, 0.3, 0.4, 0.45, 0.2])
    line_of = training.line_of
    monkeypatch.setattr(training, "line_of", lambda *given: replace(line_of(*given), held_out_loss=next(losses)))
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=5, patience=2))
    assert len(found.history) == 4
    assert found.best_epoch == 2


def test_a_line_is_on_disk_when_it_is_reported(tmp_path):
    reported = []

    def report(line: EpochLine) -> None:
        with (tmp_path / "history.csv").open() as file:
            reported.append((line.epoch, int(list(csv.DictReader(file))[-1]["epoch"])))

    with HistoryWriter(tmp_path, tmp_path / "tensorboard", report) as history:
        train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, report=history)
    assert reported == [(1, 1), (2, 2), (3, 3)]


def test_the_figures_of_the_networks_average_to_those_of_the_line():
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG)
    line = found.history[found.best_epoch - 1]
    sizes = np.bincount(found.fold)
    one, other = line.networks
    assert line.training_loss == pytest.approx((one[0] + other[0]) / 2)
    assert line.held_out_loss == pytest.approx(np.average([one[2], other[2]], weights=sizes))
    assert line.held_out_accuracy == pytest.approx(np.average([one[3], other[3]], weights=sizes))
    assert one[2] != other[2]
    for k, figures in enumerate(line.networks):
        own = found.fold == k
        expected = np.logaddexp(0, np.where(TRAINING.labels[own] == 1, -1, 1) * found.held_out[own]).mean()
        assert figures[2] == pytest.approx(expected, rel=1e-6)


def test_a_resumed_training_has_the_figures_of_its_networks(tmp_path):
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path)
    again = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, checkpoint=tmp_path, resume=True)
    assert again.history == found.history
    assert len(again.history[0].networks) == 2


LINES = [EpochLine(n, *np.arange(6.0) + n, networks=((0.5,) * 6, (0.25,) * 6)) for n in (1, 2, 3)]


def test_tensorboard_reads_one_file_for_each_network_and_one_for_the_ensemble(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with HistoryWriter(tmp_path, tmp_path / "tensorboard") as history:
        for line in LINES:
            history(line)
    folders = sorted(path.name for path in (tmp_path / "tensorboard").iterdir())
    assert folders == ["all", "network-1", "network-2"]
    losses = {}
    for name in folders:
        assert len(list((tmp_path / "tensorboard" / name).iterdir())) == 1
        events = accumulators.EventAccumulator(str(tmp_path / "tensorboard" / name)).Reload()
        assert len(events.Tags()["scalars"]) == 6
        losses[name] = [(event.step, event.value) for event in events.Scalars("loss/held_out")]
    assert losses["all"] == [(1, 3.0), (2, 4.0), (3, 5.0)]
    assert losses["network-2"] == [(1, 0.25), (2, 0.25), (3, 0.25)]


def test_an_epoch_without_an_evaluation_has_empty_figures(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with HistoryWriter(tmp_path, tmp_path / "tensorboard") as history:
        history(EpochLine(1, 0.5, 0.9, *(np.nan,) * 4))
        history(EpochLine(2, *np.arange(6.0)))
    with (tmp_path / "history.csv").open() as file:
        assert [line["held_out_loss"] for line in csv.DictReader(file)] == ["", "2.000000"]
    events = accumulators.EventAccumulator(str(tmp_path / "tensorboard" / "all")).Reload()
    assert [event.step for event in events.Scalars("loss/training")] == [1, 2]
    assert [(event.step, event.value) for event in events.Scalars("loss/held_out")] == [(2, 2.0)]


def test_without_tensorboard_there_are_no_events(tmp_path, monkeypatch):
    monkeypatch.setattr("classify.cnn.history.find_spec", lambda name: None)
    with HistoryWriter(tmp_path, tmp_path / "tensorboard") as history:
        history(LINES[0])
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_events_of_an_earlier_training_are_removed(tmp_path):
    old = tmp_path / "tensorboard" / "network-9" / "events.out.tfevents.1.host.2.0"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an earlier training")
    with HistoryWriter(tmp_path, tmp_path / "tensorboard"):
        assert not list(tmp_path.iterdir())


def test_weights_are_the_same_after_writing_and_reading():
    (first, _) = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1)).members
    assert to_bytes(from_bytes(first, CONFIG)) == first
    header = json.loads(first[8 : 8 + int.from_bytes(first[:8], "little")])
    assert "correction.weight" in header


def test_weights_of_another_shape_are_refused():
    (first, _) = train_networks(TRAINING, VALIDATION, PROFILE, config=replace(CONFIG, epochs=1)).members
    with pytest.raises(ValueError, match="do not fit"):
        from_bytes(first, replace(CONFIG, width=3))


DAMAGED = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-1],
    "no header": lambda data: b"hello, this is no safetensors file",
    "unknown type": lambda data: data.replace(b'"F32"', b'"X32"'),
    "another name": lambda data: data.replace(b'"correction.bias"', b'"correction.bIas"'),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_weights_raise_value_error_in_one_line(damage):
    data = damage(to_bytes(LensNet(CONFIG)))
    with pytest.raises(ValueError, match="do not fit") as refused:
        from_bytes(data, CONFIG)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["load", "LensNet"])
def test_programming_errors_are_not_reported_as_damaged_weights(name, monkeypatch):
    data = to_bytes(LensNet(CONFIG))

    def broken(*args):
        raise AttributeError("no such attribute")

    monkeypatch.setattr(weights, name, broken)
    with pytest.raises(AttributeError):
        from_bytes(data, CONFIG)


def test_the_fastest_available_device_is_used(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert device.best_device().type == expected


def test_precision_is_mixed_on_gpus_only(monkeypatch):
    enabled_on = []
    monkeypatch.setattr(torch, "autocast", lambda kind, dtype, enabled: enabled_on.append((kind, enabled)))
    for kind in ("cuda", "mps", "cpu"):
        device.mixed(torch.device(kind))
    assert enabled_on == [("cuda", True), ("mps", True), ("cpu", False)]


def test_the_number_of_threads_is_restored():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with device.one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
