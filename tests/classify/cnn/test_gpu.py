"""The networks on a GPU: where none is at hand, the processor and the device `meta` stand in for it."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from classify.cnn.stacking import Stacker
from classify.cnn.stage import CnnStage
from tests.support.cnn_skies import SMALL, random_input, sheared_input

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from classify.cnn import device, member, resident  # noqa: E402
from classify.cnn.member import Member, Skies  # noqa: E402
from classify.cnn.network import LensNet, batches_of, log_odds_of  # noqa: E402
from classify.cnn.training import EnsembleTrainer, train_networks  # noqa: E402
from classify.cnn.weights import from_bytes, to_bytes  # noqa: E402

PROFILE = np.full(60, 0.25)
CONFIG = replace(SMALL, epochs=3, patience=3)
CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def skies(n: int, seed: int) -> Skies:
    """Return skies of which every fifth is an oblong image with narrower cells, and without a known lens."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    inputs, rows, columns = (list(each) for each in zip(*[sheared_input(rng, label) for label in labels]))
    for k in range(0, n, 5):
        inputs[k] = random_input(rng, n=20 + k, shape=(6, 10), cell=11.0)
        rows[k] = columns[k] = np.nan
    return Skies(inputs, labels.astype(float), np.array(rows), np.array(columns))


TRAINING, VALIDATION = skies(24, 1), skies(10, 2)


def trained_network() -> LensNet:
    """Return a network with random weights, whose correction is not 0 as before the training."""
    torch.manual_seed(4)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.correction.weight)
    return network


@pytest.fixture
def memory(monkeypatch):
    """The processor as a device with memory of its own, of a size to set."""

    def set_to(n_bytes: int) -> None:
        monkeypatch.setattr(resident, "free_memory", lambda device: n_bytes)

    return set_to


@pytest.mark.parametrize("chosen", [[7, 3, 0, 11], [1, 2], [10, 5]], ids=["mixed", "square", "no lens is known"])
def test_a_batch_gathered_on_the_device_is_the_one_made_from_the_inputs(chosen):
    found, expected = (each.batch(np.array(chosen)) for each in (resident.ResidentSkies.of(TRAINING, CPU), TRAINING))
    for name, values in vars(expected).items():
        own = getattr(found, name)
        assert own.dtype == values.dtype, name
        assert torch.equal(own.nan_to_num(-1) if own.is_floating_point() else own, values.nan_to_num(-1)), name


def test_known_lenses_and_the_galaxies_about_them_are_indices_of_the_finite_positions():
    batch = TRAINING.batch(np.arange(12))
    mask = torch.isfinite(batch.lens).all(dim=0)
    assert 0 < int(mask.sum()) < 12
    assert torch.equal(batch.known, mask.nonzero()[:, 0])
    assert torch.equal(batch.about, mask[batch.sky].nonzero()[:, 0])


def test_training_from_the_memory_of_the_device_gives_the_same_bytes(memory):
    expected = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, device=CPU)
    memory(2**40)
    found = train_networks(TRAINING, VALIDATION, PROFILE, config=CONFIG, device=CPU)
    assert found.members == expected.members
    assert found.history == expected.history
    assert np.array_equal(found.held_out, expected.held_out)


@pytest.mark.parametrize(("halves", "is_resident"), [(1.9, False), (2.1, True)])
def test_skies_that_fill_more_than_half_of_the_memory_are_uploaded_batch_by_batch(memory, halves, is_resident):
    memory(int(halves * resident.size_of(TRAINING)))
    assert isinstance(resident.resident(TRAINING, CPU), resident.ResidentSkies) == is_resident


def test_the_size_of_skies_is_that_of_their_tensors():
    whole = resident.ResidentSkies.of(TRAINING, CPU).whole
    stored = ("x", "y", "e", "mean_e", "scalars", "cut_outs", "maps", "inside")
    assert resident.size_of(TRAINING) == sum(getattr(whole, name).nbytes for name in stored)


def test_the_processor_keeps_no_second_copy_of_the_skies():
    assert resident.resident(TRAINING, CPU) is TRAINING


class NoHostIndices(TorchDispatchMode):
    """Every index is a tensor that an operation returned: for one made of a list, CUDA is waited for."""

    def __init__(self):
        super().__init__()
        self.returned = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default):
            known = {id(each) for each in self.returned}
            assert all(each is None or id(each) in known for each in args[1]), func
        found = func(*args, **(kwargs or {}))
        self.returned += tree_leaves(found)
        return found


def test_a_step_does_not_wait_for_a_device(monkeypatch):
    """Tensors on `meta` have no values: an operation that needs one on the processor raises."""
    meta = torch.device("meta")
    monkeypatch.setattr(member, "mixed", lambda device: nullcontext())
    network = Member(TRAINING, np.arange(12), PROFILE, 0, SMALL, meta)
    with NoHostIndices():
        for _ in range(2):
            result = network._step(np.arange(6), np.array([True, False, True]))
    assert result.device.type == "meta"
    with pytest.raises((RuntimeError, NotImplementedError)):
        result.tolist()


class NoDoubles(TorchDispatchMode):
    """A device `meta` without float64, as MPS is, whose values read on the processor are 0."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default and args[0].is_meta and (kwargs or {}).get("device") == CPU:
            return torch.zeros(args[0].shape, dtype=args[0].dtype)
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, (tuple, list)) else (found,):
            assert not (isinstance(each, torch.Tensor) and each.is_meta and each.dtype == torch.float64), func
        return found


def test_training_and_inference_make_no_float64_on_the_device(monkeypatch):
    monkeypatch.setattr(member, "mixed", lambda device: nullcontext())
    network = Member(TRAINING, np.arange(12), PROFILE, 0, SMALL, torch.device("meta"))
    with NoDoubles():
        assert network.train_epoch(0) == (0.0, 0.0)
        assert network.log_odds(VALIDATION, np.arange(10)).tolist() == [0.0] * 10


def test_training_in_mixed_precision_reaches_the_loss_of_single_precision(monkeypatch):
    config = replace(CONFIG, epochs=4, learning_rate=0.02)
    exact = train_networks(TRAINING, VALIDATION, PROFILE, config=config).history[-1]
    monkeypatch.setattr(member, "mixed", lambda device: torch.autocast("cpu", dtype=torch.bfloat16))
    rounded = train_networks(TRAINING, VALIDATION, PROFILE, config=config).history[-1]
    assert rounded.training_loss != exact.training_loss
    assert rounded.training_loss == pytest.approx(exact.training_loss, abs=0.05)


def test_inference_multiplies_without_tf32():
    before = torch.backends.cudnn.allow_tf32
    with device.single(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_inference_is_in_single_precision_on_every_device(monkeypatch):
    """The context is that of single precision, whatever the device, and none of mixed precision is entered."""
    entered = []
    monkeypatch.setattr("classify.cnn.network.single", lambda device: entered.append(device) or nullcontext())
    monkeypatch.setattr(torch, "autocast", None)
    log_odds_of([trained_network()], batches_of(VALIDATION.inputs, CPU), CPU)
    assert entered == [CPU]


@pytest.mark.parametrize(("name", "is_in_turn"), [("cpu", False), ("meta", True)])
def test_networks_on_a_gpu_infer_in_turn(name, is_in_turn):
    """The switch of TF32 is one for the whole process."""
    trainer = EnsembleTrainer(TRAINING, VALIDATION, PROFILE, CONFIG, None, False, torch.device(name))
    assert trainer.infers_in_turn == is_in_turn


def test_of_networks_that_infer_in_turn_one_is_in_single_precision_at_a_time(monkeypatch):
    inside: list[int] = []
    depths: list[int] = []

    @contextmanager
    def counted(device):
        inside.append(1)
        depths.append(len(inside))
        yield
        inside.pop()

    trainer = EnsembleTrainer(TRAINING, VALIDATION, PROFILE, CONFIG, None, False, CPU)
    trainer.infers_in_turn, trainer.workers = True, 2
    monkeypatch.setattr("classify.cnn.network.single", counted)
    list(trainer.advance())
    assert depths == [1] * 4  # two networks: out of fold, and validation


def test_networks_that_share_batches_give_the_log_odds_of_each_alone():
    networks = [trained_network(), LensNet(SMALL)]
    together = log_odds_of(networks, batches_of(VALIDATION.inputs, CPU), CPU)
    assert together.shape == (2, len(VALIDATION))
    for network, own in zip(networks, together):
        assert np.array_equal(log_odds_of([network], batches_of(VALIDATION.inputs, CPU), CPU)[0], own)


def test_no_skies_have_no_log_odds():
    assert log_odds_of([trained_network()], batches_of([], CPU), CPU).shape == (1, 0)


@needs_cuda
def test_probabilities_on_a_gpu_are_those_of_the_processor():
    stage = CnnStage(9.0, Stacker(0.0, 0.0, 1.0), SMALL, (to_bytes(trained_network()),), {})
    on_cpu, on_gpu = (expit(stage.network_log_odds(TRAINING.inputs, torch.device(name))) for name in ("cpu", "cuda"))
    assert on_gpu == pytest.approx(on_cpu, abs=1e-3)
    assert not np.array_equal(on_gpu, on_cpu)


@needs_cuda
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("is_resident", [True, False])
def test_a_step_on_a_gpu_does_not_wait_for_it(is_resident):
    gpu = torch.device("cuda")
    given = resident.ResidentSkies.of(TRAINING, gpu) if is_resident else TRAINING
    network = Member(given, np.arange(12), PROFILE, 0, SMALL, gpu)
    network._step(np.arange(6), np.zeros(3, dtype=bool))  # loads the kernels
    try:
        torch.cuda.set_sync_debug_mode("error")
        network._step(np.arange(6), np.ones(3, dtype=bool))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
def test_a_training_on_a_gpu_is_resumed_there_and_on_the_processor(tmp_path):
    short, gpu = replace(CONFIG, epochs=1), torch.device("cuda")
    whole = train_networks(TRAINING, VALIDATION, PROFILE, config=short, device=gpu, checkpoint=tmp_path)
    for where in (gpu, CPU):
        again = train_networks(
            TRAINING, VALIDATION, PROFILE, config=short, device=where, checkpoint=tmp_path, resume=True
        )
        assert again.members == whole.members
        network = Member(TRAINING, np.arange(12), PROFILE, 0, SMALL, where)
        state = Member(TRAINING, np.arange(12), PROFILE, 0, SMALL, gpu)
        state.train_epoch(0)
        network.restore(state.state())
        assert np.isfinite(network.train_epoch(1)).all()
    assert from_bytes(whole.members[0], short)
