"""The network: its output before training, the sums of its rings, its loss, and a planted shear that it learns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from tests.support.cnn_skies import CELL, N_CELLS, SMALL, random_input, sheared_input, use_ellipticities_alone

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch, mirrored  # noqa: E402
from classify.cnn.losses import loss_of, shear_about  # noqa: E402
from classify.cnn.member import Member, Skies  # noqa: E402
from classify.cnn.network import CUT_OUTS_STEP, LensNet, on_grid  # noqa: E402
from classify.cnn.rings import SUBCELLS, Rings, RingSums  # noqa: E402
from classify.cnn.training import train_networks  # noqa: E402

PROFILE = torch.linspace(0.5, 0.0, 60)


def batch_of(*seeds: int, **how: object) -> Batch:
    return Batch.of([random_input(np.random.default_rng(seed), **how) for seed in seeds], [(3.3, 5.4)] * len(seeds))


def naive_rings(rings: Rings, field: np.ndarray) -> np.ndarray:
    """Sum over every pair of cells, one after another."""
    profiles, n_spin2 = rings.profiles.detach().numpy(), rings.n_spin2
    side = field.shape[-1]
    out = np.zeros((len(profiles), side, side))
    for row in range(side):
        for column in range(side):
            for y in range(side):
                for x in range(side):
                    r = np.hypot(y - row, x - column) / SUBCELLS
                    if r >= rings.reach:
                        continue
                    R = [np.interp(r, np.arange(rings.reach + 1), profile) for profile in profiles]
                    phi = np.arctan2(y - row, x - column)
                    for k in range(len(profiles)):
                        if k < n_spin2:
                            spin = 0.0 if r == 0 else 1.0
                            e1, e2 = field[2 * k : 2 * k + 2, y, x]
                            out[k, row, column] -= spin * R[k] * (e1 * np.cos(2 * phi) + e2 * np.sin(2 * phi))
                        else:
                            out[k, row, column] += R[k] * field[n_spin2 + k, y, x]
    return out


def test_rings_match_their_naive_twin():
    torch.manual_seed(0)
    rings = Rings(1, 1, 3)
    torch.nn.init.normal_(rings.profiles)
    field = np.random.default_rng(0).normal(size=(3, 10, 10))
    found = rings(torch.tensor(field[None], dtype=torch.float32))[0].detach().numpy()
    expected = naive_rings(rings, field).reshape(2, 5, SUBCELLS, 5, SUBCELLS).mean(axis=(2, 4))
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_gradient_of_the_rings_matches_differences():
    """Four phases of two maps of a spin-2 quantity and of one of a spin-0 quantity, on three cells, at two nodes."""
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    transforms = [torch.fft.rfft2(drawn(2, n_phases, 6, 6)) for n_phases in (8, 4)]
    phases, profiles = drawn(2, 12, 3, 3).requires_grad_(), drawn(2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: RingSums.apply(*given, *transforms), (phases, profiles))


def test_rings_are_in_single_precision_where_the_network_is_not():
    """As on a GPU, where there is no complex number of half precision."""
    torch.manual_seed(3)
    rings, field = Rings(2, 2, 4), torch.randn(1, 6, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = rings(field)
    torch.testing.assert_close(mixed, rings(field), rtol=1e-6, atol=1e-6)


def test_cut_outs_that_fill_a_batch_up_change_no_galaxy():
    """A sky of nine galaxies, alone and before one with which the cut-outs fill the batch."""
    network, few, more = LensNet(SMALL), batch_of(1, n=9), random_input(np.random.default_rng(2), n=CUT_OUTS_STEP - 9)
    full = Batch.of([random_input(np.random.default_rng(1), n=9), more])
    with torch.no_grad():
        (alone, _), (together, _) = network.galaxies(few), network.galaxies(full)
    assert len(alone) == 9
    assert len(together) == CUT_OUTS_STEP
    assert alone.numpy() == pytest.approx(together[:9].numpy(), abs=1e-5)


def test_an_untrained_network_returns_the_log_evidence():
    batch = batch_of(1, 2)
    with torch.no_grad():
        log_odds, _, _ = LensNet(SMALL)(batch)
    mean = logsumexp(batch.maps[:, 0].numpy(), axis=(1, 2)) - np.log(N_CELLS**2)
    assert log_odds.numpy() == pytest.approx(mean, abs=1e-4)


def test_the_grid_conserves_the_sum_and_the_mean_position_of_galaxies():
    batch = batch_of(1)
    field = on_grid(batch, torch.ones(len(batch.x), 1))
    assert field.shape == (1, 1, SUBCELLS * N_CELLS, SUBCELLS * N_CELLS)
    assert float(field.sum()) == pytest.approx(len(batch.x), rel=1e-5)
    cells = (np.arange(SUBCELLS * N_CELLS) + 0.5) / SUBCELLS
    mean_x = float((field[0, 0].sum(dim=0) * torch.tensor(cells)).sum() / field.sum())
    assert mean_x == pytest.approx(float(batch.x.mean()), abs=0.05)  # those at the border are kept inside


def test_padding_is_no_part_of_the_mean_evidence():
    """A sky in a batch with a larger one has the log-odds that it has alone."""
    small = random_input(np.random.default_rng(1), shape=(5, 7))
    large = random_input(np.random.default_rng(2))
    with torch.no_grad():
        network = LensNet(SMALL)
        padded, alone = (network(Batch.of(skies))[0][0] for skies in ([small, large], [small]))
    assert float(padded) == pytest.approx(float(alone), abs=1e-4)


def test_skies_of_one_batch_are_independent():
    torch.manual_seed(1)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.correction.weight)
    with torch.no_grad():
        both = network(batch_of(1, 2))[0]
        each = [network(batch_of(seed))[0][0] for seed in (1, 2)]
    assert both.numpy() == pytest.approx([float(value) for value in each], abs=1e-4)


def test_the_expected_shear_is_tangential_about_the_lens():
    batch = batch_of(3)
    g = shear_about(batch, PROFILE).numpy()
    dx, dy = batch.x.numpy() - 3.3, batch.y.numpy() - 5.4
    phi, r = np.arctan2(dy, dx), CELL * np.hypot(dx, dy)
    assert -(g[:, 0] * np.cos(2 * phi) + g[:, 1] * np.sin(2 * phi)) == pytest.approx(
        np.interp(r, 4.0 * np.arange(60), PROFILE.numpy()), abs=1e-4
    )
    assert g[:, 0] * np.sin(2 * phi) - g[:, 1] * np.cos(2 * phi) == pytest.approx(0 * r, abs=1e-5)


def test_skies_of_different_cells_keep_their_own_in_one_batch():
    """Cells of 16 px and 11 px: outputs and expected shear are those of each sky alone."""
    torch.manual_seed(2)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.correction.weight)
    skies = [random_input(np.random.default_rng(seed), cell=cell) for seed, cell in ((1, 16.0), (2, 11.0))]
    lenses = [(3.3, 5.4), (4.2, 2.1)]
    batch = Batch.of(skies, lenses)
    alone = [Batch.of([sky], [lens]) for sky, lens in zip(skies, lenses)]
    shear = torch.cat([shear_about(each, PROFILE) for each in alone])
    assert shear_about(batch, PROFILE).numpy() == pytest.approx(shear.numpy(), abs=1e-6)
    with torch.no_grad():
        log_odds = torch.cat([network(each)[0] for each in alone])
        assert network(batch)[0].numpy() == pytest.approx(log_odds.numpy(), abs=1e-4)


def test_the_expected_shear_is_read_at_the_radius_in_pixels():
    """The same galaxies in cells half as wide are half as far from the lens."""
    wide, narrow = (batch_of(3, cell=cell) for cell in (16.0, 8.0))
    linear = torch.linspace(0.0, 0.5, 600)
    assert shear_about(narrow, linear).numpy() == pytest.approx(0.5 * shear_about(wide, linear).numpy(), abs=1e-6)


def test_the_gradient_of_a_step_does_not_depend_on_the_order_of_skies_of_different_cells():
    sides, lens = (16.0, 11.0), np.full(2, 60.0)
    inputs = [random_input(np.random.default_rng(seed), cell=cell) for seed, cell in enumerate(sides)]
    gradients = []
    for order in ([0, 1], [1, 0]):
        skies = Skies(inputs, np.ones(2), lens, lens)
        member = Member(skies, np.arange(2), PROFILE.numpy(), 0, SMALL, torch.device("cpu"))
        member._step(np.array(order), np.zeros(3, dtype=bool))
        gradients.append(np.concatenate([each.grad.numpy().ravel() for each in member.network.parameters()]))
    assert gradients[0] == pytest.approx(gradients[1], abs=1e-4)


def test_the_loss_without_a_known_lens_is_that_of_the_labels():
    batch = Batch.of([random_input(np.random.default_rng(4))])
    loss, label_loss = loss_of(LensNet(SMALL)(batch), batch, torch.zeros(1), torch.ones(10), SMALL)
    assert loss.item() == label_loss.item()


def test_the_loss_is_invariant_under_mirrors_for_a_network_of_ellipticities():
    """The expected shear turns with the field, as the ellipticities do."""
    torch.manual_seed(0)
    network = use_ellipticities_alone(LensNet(SMALL))
    batch = batch_of(5)
    mirrors = ({}, {"swap": True}, {"flip_x": True}, {"swap": True, "flip_y": True})
    skies = [mirrored(batch, **each) for each in mirrors]
    losses = [loss_of(network(sky), sky, torch.ones(1), PROFILE, SMALL)[0].item() for sky in skies]
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-4)


def test_mixed_precision_gives_nearly_the_same_log_odds():
    network, batch = LensNet(SMALL), batch_of(1, 2)
    with torch.no_grad():
        single = network(batch)[0]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = network(batch)[0]
    assert mixed.numpy() == pytest.approx(single.numpy(), abs=0.05)


def test_a_planted_shear_is_learnt():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    inputs, rows, columns = zip(*[sheared_input(rng, label) for label in labels])
    skies = Skies(inputs, labels.astype(float), np.array(rows), np.array(columns))
    none = Skies([], np.empty(0), np.empty(0), np.empty(0))
    config = replace(SMALL, epochs=8, learning_rate=0.02, patience=8)
    history = train_networks(skies, none, np.full(60, 0.25), config=config).history
    assert history[-1].held_out_accuracy > 0.85  # by chance 0.5 +- 0.06
    assert np.isnan(history[-1].validation_loss)
