"""The network: what it tells before it has learnt, what its rings sum, and what it learns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from tests.support.cnn_skies import N_CELLS, SMALL, random_input, sheared_input

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch, turned  # noqa: E402
from classify.cnn.losses import loss_of, shear_about  # noqa: E402
from classify.cnn.network import FINER, LensNet, Rings, on_grid  # noqa: E402
from classify.cnn.training import Skies, train_networks  # noqa: E402


def batch_of(*seeds: int, **how: object) -> Batch:
    return Batch.of([random_input(np.random.default_rng(seed), **how) for seed in seeds], [(3.3, 5.4)] * len(seeds))


def naive_rings(rings: Rings, field: np.ndarray) -> np.ndarray:
    """Sum over every pair of cells, one after another."""
    profiles, n_pairs = rings.profiles.detach().numpy(), rings.n_pairs
    side = field.shape[-1]
    out = np.zeros((len(profiles), side, side))
    for row in range(side):
        for column in range(side):
            for y in range(side):
                for x in range(side):
                    r = np.hypot(y - row, x - column) / FINER
                    if r >= rings.reach:
                        continue
                    R = [np.interp(r, np.arange(rings.reach + 1), profile) for profile in profiles]
                    phi = np.arctan2(y - row, x - column)
                    for k in range(len(profiles)):
                        if k < n_pairs:
                            spin = 0.0 if r == 0 else 1.0
                            e1, e2 = field[2 * k : 2 * k + 2, y, x]
                            out[k, row, column] -= spin * R[k] * (e1 * np.cos(2 * phi) + e2 * np.sin(2 * phi))
                        else:
                            out[k, row, column] += R[k] * field[n_pairs + k, y, x]
    return out


def test_rings_match_their_naive_twin():
    torch.manual_seed(0)
    rings = Rings(1, 1, 3)
    torch.nn.init.normal_(rings.profiles)
    field = np.random.default_rng(0).normal(size=(3, 10, 10))
    found = rings(torch.tensor(field[None], dtype=torch.float32))[0].detach().numpy()
    assert found == pytest.approx(naive_rings(rings, field), abs=1e-4)


def test_a_network_that_has_learnt_nothing_tells_the_log_evidence():
    batch = batch_of(1, 2)
    with torch.no_grad():
        log_odds, _, _ = LensNet(SMALL)(batch)
    mean = logsumexp(batch.maps[:, 0].numpy(), axis=(1, 2)) - np.log(N_CELLS**2)
    assert log_odds.numpy() == pytest.approx(mean, abs=1e-4)


def test_galaxies_are_laid_on_the_field_whole():
    """The four shares of a galaxy are 1 together, at the place of the galaxy."""
    batch = batch_of(1)
    field = on_grid(batch, torch.ones(len(batch.x), 1))
    assert field.shape == (1, 1, FINER * N_CELLS, FINER * N_CELLS)
    assert float(field.sum()) == pytest.approx(len(batch.x), rel=1e-5)
    cells = (np.arange(FINER * N_CELLS) + 0.5) / FINER
    mean_x = float((field[0, 0].sum(dim=0) * torch.tensor(cells)).sum() / field.sum())
    assert mean_x == pytest.approx(float(batch.x.mean()), abs=0.05)  # those at the border are held inside


def test_what_lies_beyond_the_picture_is_no_part_of_the_mean():
    """A sky beside a larger one has the log-odds that it has alone."""
    small = random_input(np.random.default_rng(1), shape=(5, 7))
    large = random_input(np.random.default_rng(2))
    with torch.no_grad():
        network = LensNet(SMALL)
        beside, alone = (network(Batch.of(skies))[0][0] for skies in ([small, large], [small]))
    assert float(beside) == pytest.approx(float(alone), abs=1e-4)


def test_skies_in_one_batch_do_not_touch_each_other():
    torch.manual_seed(1)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.added.weight)
    with torch.no_grad():
        both = network(batch_of(1, 2))[0]
        each = [network(batch_of(seed))[0][0] for seed in (1, 2)]
    assert both.numpy() == pytest.approx([float(value) for value in each], abs=1e-4)


def test_the_shear_to_be_told_is_tangential_about_the_lens():
    batch = batch_of(3)
    profile = torch.linspace(0.5, 0.0, 60)
    g = shear_about(batch, profile, 16.0).numpy()
    dx, dy = batch.x.numpy() - 3.3, batch.y.numpy() - 5.4
    phi, r = np.arctan2(dy, dx), 16 * np.hypot(dx, dy)
    assert -(g[:, 0] * np.cos(2 * phi) + g[:, 1] * np.sin(2 * phi)) == pytest.approx(
        np.interp(r, 4.0 * np.arange(60), profile.numpy()), abs=1e-4
    )
    assert g[:, 0] * np.sin(2 * phi) - g[:, 1] * np.cos(2 * phi) == pytest.approx(0 * r, abs=1e-5)


def test_skies_without_a_known_lens_teach_by_their_labels_alone():
    batch = Batch.of([random_input(np.random.default_rng(4))])
    told = LensNet(SMALL)(batch)
    loss, of_labels = loss_of(told, batch, torch.zeros(1), torch.ones(10), 16.0, SMALL)
    assert loss.item() == of_labels.item()


def test_the_loss_of_a_mirrored_sky_is_that_of_the_sky_if_the_network_is_even():
    """The targets turn with the field: with e told as it is, each mirror has the same loss."""
    torch.manual_seed(0)
    network = LensNet(SMALL)
    last = network.galaxies.joined[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.0, 0.0, 1.0, 0.0])  # the pair is e, the single nothing
    batch = batch_of(5)
    losses = [
        loss_of(network(sky), sky, torch.ones(1), torch.linspace(0.5, 0.0, 60), 16.0, SMALL)[0].item()
        for sky in (batch, turned(batch, swap=True), turned(batch, flip_x=True), turned(batch, swap=True, flip_y=True))
    ]
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-4)


def test_mixed_precision_gives_nearly_the_same_log_odds():
    network, batch = LensNet(SMALL), batch_of(1, 2)
    with torch.no_grad():
        whole = network(batch)[0]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = network(batch)[0]
    assert mixed.numpy() == pytest.approx(whole.numpy(), abs=0.05)


def test_a_planted_shear_is_learnt():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    made = [sheared_input(rng, label) for label in labels]
    inputs, rows, columns = zip(*made)
    skies = Skies(inputs, labels.astype(float), np.array(rows), np.array(columns))
    none = Skies([], np.empty(0), np.empty(0), np.empty(0))
    config = replace(SMALL, epochs=8, learning_rate=0.02, patience=8)
    found = train_networks(skies, none, np.full(60, 0.25), config=config)
    assert found.history[-1].held_out_accuracy > 0.85  # by chance 0.5 +- 0.06
    assert np.isnan(found.history[-1].validation_loss)
