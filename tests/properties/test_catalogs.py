"""Lenses of a shape catalogue after turns, mirrors, shifts, another unit of length, and in another order."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.location.locate import locate
from tests.support.located import LENS, THETA_E, galaxies

SEEDS = st.integers(0, 2**32 - 1)
FACTORS = st.sampled_from([1 / 60, 1 / 3600, np.pi / 180 / 3600, 0.2, 60.0, 1e6])
"""Arcsec in arcmin, degrees and radians, pixels in arcsec, and others."""
FEW = settings(max_examples=settings.default.max_examples * 2 // 3)  # a location takes a second
NUMBERS = ("log_bayes_factor", "snr", "snr_cross")


@st.composite
def catalogs(draw):
    """Return galaxies behind a lens somewhere in the field, with weights or without."""
    rng = np.random.default_rng(draw(SEEDS))
    n = draw(st.integers(60, 150))
    weight = rng.uniform(0.2, 2.0, n) if draw(st.booleans()) else None
    lens = draw(st.sampled_from([LENS, (600.0, 700.0), (3500.0, 1200.0)]))
    return galaxies(rng, theta_e=THETA_E, n=n, lens=lens, weight=weight)


def moved(catalog, *, factor=1.0, shift=(0.0, 0.0), quarters=0, mirrored=False):
    """Return a catalogue turned about the origin, mirrored in x, in another unit, and shifted."""
    z, e = catalog.x + 1j * catalog.y, catalog.e1 + 1j * catalog.e2
    z, e = z * 1j**quarters, e * (-1) ** quarters
    z, e = (-np.conj(z), np.conj(e)) if mirrored else (z, e)
    z = factor * z + complex(*shift)
    bounds = tuple(float(each) for each in (z.real.min(), z.real.max(), z.imag.min(), z.imag.max()))
    return replace(catalog, x=z.real, y=z.imag, e1=e.real, e2=e.imag, bounds=bounds)


def place(x, y, *, factor=1.0, shift=(0.0, 0.0), quarters=0, mirrored=False):
    z = complex(x, y) * 1j**quarters
    return factor * (-np.conj(z) if mirrored else z) + complex(*shift)


MOTIONS = st.fixed_dictionaries(
    {
        "factor": FACTORS,
        "shift": st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
        "quarters": st.integers(0, 3),
        "mirrored": st.booleans(),
    }
)


def assert_moved(one, other, motion):
    """Assert that a lens has moved: its place and error, but no S/N, apart from the sign of the cross shear."""
    parity = np.array([1.0, 1.0, -1.0 if motion["mirrored"] else 1.0])
    expected = parity * [getattr(one, name) for name in NUMBERS]
    np.testing.assert_allclose([getattr(other, name) for name in NUMBERS], expected, rtol=1e-5, atol=1e-5)
    tolerance = 1e-3 * motion["factor"] * one.position_error
    assert abs(complex(other.x, other.y) - place(one.x, one.y, **motion)) < tolerance
    np.testing.assert_allclose(other.position_error, motion["factor"] * one.position_error, rtol=1e-3)


@FEW
@given(catalog=catalogs(), motion=MOTIONS)
def test_the_located_lens_moves_with_the_galaxies(catalog, motion):
    assert_moved(locate(catalog), locate(moved(catalog, **motion)), motion)


@FEW
@given(catalog=catalogs(), seed=SEEDS, factor=st.floats(1e-6, 1e6))
def test_neither_the_order_of_the_galaxies_nor_the_unit_of_their_weights_changes_the_lens(catalog, seed, factor):
    order = np.random.default_rng(seed).permutation(len(catalog))
    weight = None if catalog.weight is None else factor * catalog.weight[order]
    columns = {name: getattr(catalog, name)[order] for name in ("x", "y", "e1", "e2")}
    one, other = locate(catalog), locate(replace(catalog, **columns, weight=weight))
    for name in (*NUMBERS, "x", "y", "position_error"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-7, atol=1e-7)


@FEW
@given(catalog=catalogs(), motion=MOTIONS)
def test_candidates_move_with_the_galaxies(catalog, motion):
    """One candidate at most: its posterior is that of `locate`, and no sample."""
    one, other = (find_candidates(each, threshold=4.0, most=1) for each in (catalog, moved(catalog, **motion)))
    assert len(one) == len(other)
    for before, after in zip(one, other):
        assert_moved(before, after, motion)
        np.testing.assert_allclose(after.scale, motion["factor"] * before.scale, rtol=1e-6)
        assert after.n_galaxies == before.n_galaxies
