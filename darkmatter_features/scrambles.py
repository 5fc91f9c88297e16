"""How often chance alone gives so much evidence: the same sky with its orientations scrambled."""

from dataclasses import replace

import numpy as np

from darkmatter_features.errors import ConfigError
from darkmatter_features.evidence import lens_evidence
from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.template import LensTemplate


def scrambled(
    catalog: GalaxyCatalog, template: LensTemplate | None = None, *, rng: np.random.Generator
) -> GalaxyCatalog:
    """Return the catalogue with each galaxy turned at random.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        Tells the mean ellipticity of each kind of galaxy; that of the sky itself when not given.
    rng : numpy.random.Generator
        Turns them.

    Returns
    -------
    GalaxyCatalog
        Positions and sizes are as they were, and so is how far each ellipticity is from its mean.

    Notes
    -----
    ``e -> <e> + (e - <e>) exp(i psi)``, psi even in [0, 2 pi): e is of spin 2, so that this is every orientation in
    [0, pi), and half of that range would leave the shear in.
    """
    mean_e1, mean_e2, _ = (template or LensTemplate.of_sky(catalog)).unlensed(catalog)
    mean = mean_e1 + 1j * mean_e2
    turn = np.exp(1j * rng.uniform(0.0, 2.0 * np.pi, len(catalog)))
    e = mean + (catalog.e1 + 1j * catalog.e2 - mean) * turn
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy(), theta=0.5 * np.angle(e))


def peak_p_value(
    catalog: GalaxyCatalog,
    template: LensTemplate | None = None,
    *,
    n_scrambles: int = 200,
    rng: np.random.Generator,
) -> float:
    """Return how probable so much evidence from shapes is without a lens.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        What a lens does; the default, with the sky's own mean ellipticity, when not given.
    n_scrambles : int
        Scrambled skies to compare with: no probability below ``1 / (1 + n_scrambles)`` can be told.
    rng : numpy.random.Generator
        Scrambles them.

    Returns
    -------
    float
        ``(1 + number of scrambled skies with at least as much) / (1 + n_scrambles)`` (Phipson & Smyth 2010); the
        search over places and strengths is in it, for it is done anew in every sky.

    Raises
    ------
    ConfigError
        If `n_scrambles` is not positive.
    """
    check_number(n_scrambles)
    found = lens_evidence(catalog, template).log_odds_shear
    drawn = (scrambled(catalog, template, rng=rng) for _ in range(n_scrambles))
    n_larger = sum(lens_evidence(each, template).log_odds_shear >= found for each in drawn)
    return (1 + n_larger) / (1 + n_scrambles)


def check_number(n_scrambles: int) -> None:
    """Raise ConfigError unless there are scrambles to compare with."""
    if n_scrambles < 1:
        raise ConfigError(f"the number of scrambles must be 1 or more, got {n_scrambles}; 200 tell p down to 0.005")
