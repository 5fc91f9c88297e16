"""A catalogue with the quantities that every later stage needs, computed once."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.adjustment import AdjustedGalaxies, adjust, is_unaligned
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.kernels.evidence import tabulate
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

N_DIRECTIONS = 32
"""Directions of the shear for which log likelihood ratios are tabulated."""


@dataclass(frozen=True, eq=False, init=False)
class PreparedCatalog:
    """Galaxies of a sky with the quantities that a template assigns to them.

    Computed once per sky and passed to :func:`shear_maps`, :func:`lens_evidence` and :func:`feature_row`.

    Parameters
    ----------
    catalog : GalaxyCatalog
        n galaxies of one sky.
    template : LensTemplate or CompiledTemplate, optional
        Model of the galaxies and of a lens; the default template with the sky's own mean ellipticity when not given.

    Attributes
    ----------
    compiled : CompiledTemplate
        Tables of the template; those without alignment where the galaxies of the sky have none.
    adjusted : AdjustedGalaxies
        The galaxies as the template expects them: it is adjusted to the sky.
    shape_bin, size_bin : (n,) int64 arrays
        Bins of each galaxy in the template.
    mean_e1, mean_e2 : (n,) float64 arrays
        Mean ellipticity of unlensed galaxies of the same shape bin.
    e1, e2 : (n,) float64 arrays
        Ellipticity less that mean.
    weight : (n,) float64 array
        Inverse variance per component of unlensed galaxies of the same shape bin; 0 for an unresolved galaxy.

    Examples
    --------
    >>> import darkmatter_features as dm
    >>> galaxies = dm.PreparedCatalog(dm.measure(dm.read_sky("sky.png")))  # doctest: +SKIP
    >>> maps, evidence = dm.shear_maps(galaxies), dm.lens_evidence(galaxies)  # doctest: +SKIP
    >>> row = dm.feature_row(galaxies, maps, evidence)  # doctest: +SKIP
    """

    catalog: GalaxyCatalog
    template: LensTemplate
    compiled: CompiledTemplate = field(init=False)
    adjusted: AdjustedGalaxies = field(init=False)
    shape_bin: NDArray[np.int64] = field(init=False)
    size_bin: NDArray[np.int64] = field(init=False)
    mean_e1: Array = field(init=False)
    mean_e2: Array = field(init=False)
    e1: Array = field(init=False)
    e2: Array = field(init=False)
    weight: Array = field(init=False)

    def __init__(self, catalog: GalaxyCatalog, template: LensTemplate | CompiledTemplate | None = None) -> None:
        if template is None:
            template = LensTemplate.of_sky(catalog)
        compiled = template if isinstance(template, CompiledTemplate) else CompiledTemplate(template)
        expected = compiled.template
        if is_unaligned(catalog, expected):
            compiled = compiled.unaligned
        model = compiled.template
        adjusted = adjust(catalog, model)
        shape_bin = adjusted.shape_bin
        mean_e1 = model.mean_e1[shape_bin] + adjusted.shift.real
        mean_e2 = model.mean_e2[shape_bin] + adjusted.shift.imag
        values = {
            "catalog": catalog,
            "template": expected,
            "compiled": compiled,
            "adjusted": adjusted,
            "shape_bin": shape_bin,
            "size_bin": adjusted.size_bin,
            "mean_e1": mean_e1,
            "mean_e2": mean_e2,
            "e1": catalog.e1 - mean_e1,
            "e2": catalog.e2 - mean_e2,
            "weight": catalog.is_resolved * (adjusted.factor * model.sigma_e[shape_bin]) ** -2.0,
        }
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.catalog)

    @cached_property
    def log_ratios(self) -> NDArray[np.float32]:
        """Log likelihood ratio of each galaxy's shape, by direction and shear, (n, n_directions + 1, n_shears).

        It is 0 for an unresolved galaxy.
        Tabulated at the first use. Directions run around the circle of position angles; the last is the first again.
        """
        ratios = np.empty((len(self), N_DIRECTIONS + 1, self.compiled.shears.size), dtype=np.float32)
        adjusted, compiled = self.adjusted, self.compiled
        response = self.template.response / adjusted.factor
        tabulate(compiled.density, self.shape_bin, adjusted.e1, adjusted.e2, response, compiled.shears, ratios)
        ratios[~self.catalog.is_resolved] = 0.0
        return ratios


def prepare(
    galaxies: GalaxyCatalog | PreparedCatalog, template: LensTemplate | CompiledTemplate | None = None
) -> PreparedCatalog:
    """Return a prepared catalogue: the one given, or one made of a catalogue and a template.

    Parameters
    ----------
    galaxies : GalaxyCatalog or PreparedCatalog
        Galaxies of one sky.
    template : LensTemplate or CompiledTemplate, optional
        Template for a catalogue that is not prepared yet.

    Raises
    ------
    ValueError
        If a template is given for a catalogue that is prepared with another.
    """
    if not isinstance(galaxies, PreparedCatalog):
        return PreparedCatalog(galaxies, template)
    if template is galaxies.compiled:
        return galaxies
    model = template.template if isinstance(template, CompiledTemplate) else template
    if model is not None and model is not galaxies.template and model != galaxies.template:
        raise ValueError("the catalogue is prepared with another template; prepare it again with this one")
    return galaxies
