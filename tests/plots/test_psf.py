"""The figure of a PSF: whiskers of stars, model and residuals, widths, and rho."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.psf.model import PsfModel, polynomial_powers
from darkmatter_features.galaxies.noisy.psf.result import PsfFit, StarTable
from darkmatter_features.galaxies.noisy.psf.rho import rho_statistics
from darkmatter_features.plots.psf import GRID, RESIDUAL_GAIN, draw_psf, draw_rho, draw_widths
from tests.galaxies.noisy.psf.test_model import gaussian
from tests.plots.figures import assert_readable, texts_of

SHAPE = (300, 400)


def fit_of(rng, n=60):
    """Return a fit whose ellipticity is 0.05 x, from -1 to 1 over the field, with three outliers."""
    round_, long = gaussian((25, 25), 12, 12), gaussian((25, 25), 12, 12, e=0.05)
    half = (0.5 * (SHAPE[1] - 1), 0.5 * (SHAPE[0] - 1))
    planes = np.stack([round_, long - round_, 0 * round_])
    model = PsfModel(planes, polynomial_powers(1), half, half)
    x, y = rng.uniform(0, SHAPE[1] - 1, n), rng.uniform(0, SHAPE[0] - 1, n)
    own = model.moments(x, y)
    noise = rng.normal(0, 0.004, (3, n))
    outlier, reserved = np.arange(n) >= n - 3, np.arange(n) % 5 == 2
    measured = own.e1 + noise[0], own.e2 + noise[1], own.sigma * (1 + noise[2])
    snr = rng.uniform(50, 1000, n)
    stars = StarTable(x, y, snr, snr, reserved, outlier, *measured, own.e1, own.e2, own.sigma)
    return PsfFit(model, stars, 1)


def panel(figure, name):
    """Return the axes of a panel of the mosaic."""
    (axes,) = (axes for axes in figure.axes if axes.get_label() == name)
    return axes


def lengths(axes):
    """Return the lengths and angles of the whiskers of a panel, degrees from -90 to 90."""
    (lines,) = axes.collections
    d = np.array([end - start for start, end in lines.get_segments()])
    return np.hypot(*d.T), np.degrees(np.arctan2(d[:, 1], d[:, 0])) % 180


def test_whiskers_show_ellipticities(rng):
    """Their lengths are proportional to |e|, and their angles half that of e1 + i e2."""
    fit = fit_of(rng)
    figure = draw_psf(fit)
    stars, e = fit.stars, fit.stars.e1 + 1j * fit.stars.e2
    length, angle = lengths(panel(figure, "stars"))
    unit = length[0] / abs(e[0])
    np.testing.assert_allclose(length, unit * abs(e))
    np.testing.assert_allclose(angle, np.degrees(0.5 * np.angle(e)) % 180)
    residual = (e - stars.model_e1 - 1j * stars.model_e2)[~stars.is_outlier]
    np.testing.assert_allclose(lengths(panel(figure, "residual"))[0], RESIDUAL_GAIN * unit * abs(residual))
    assert len(lengths(panel(figure, "model"))[0]) == GRID * round(GRID * SHAPE[0] / SHAPE[1])


def test_stars_that_cannot_be_measured_have_no_whisker(rng):
    fit = fit_of(rng)
    e1, sigma = fit.stars.e1.copy(), fit.stars.sigma.copy()
    e1[-1] = sigma[-1] = np.nan
    figure = draw_psf(replace(fit, stars=replace(fit.stars, e1=e1, sigma=sigma)))
    assert len(lengths(panel(figure, "stars"))[0]) == len(e1) - 1


def test_widths_are_drawn_in_per_cent(rng):
    fit = fit_of(rng)
    axes = draw_widths(draw_psf(fit).add_axes((0, 0, 1, 1)), fit.stars)
    used = fit.stars.is_used
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 100 * (fit.stars.sigma / fit.stars.model_sigma - 1)[used])


def test_negative_correlations_have_hollow_marks(rng):
    fit = fit_of(rng, n=200)
    rho = rho_statistics(fit.stars)
    axes = draw_rho(draw_psf(fit).add_axes((0, 0, 1, 1)), rho)
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == axes.get_facecolor()]
    assert sum(line.get_xdata().size for line in hollow) == (rho.rho[:, rho.n_pairs > 0] < 0).sum()
    assert (np.concatenate([line.get_ydata() for line in axes.lines]) > 0).all()


@pytest.mark.parametrize("n", [4, 60])
def test_texts_of_the_page_are_readable(rng, n):
    figure = draw_psf(fit_of(rng, n))
    titles = [axes.title for axes in figure.axes] + [axes._left_title for axes in figure.axes]
    assert_readable(figure, [*texts_of(figure), *titles])
    if n == 4:
        assert panel(figure, "rho").texts[0].get_text() == "fewer than two reserved stars"
