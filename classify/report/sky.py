"""All that the page shows of one sky: its image, maps, posterior, galaxies, radial profile and coordinates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.report.encoding import encoded_column, encoded_image, encoded_map, rounded
from classify.report.world import encoded_world
from darkmatter_features.candidates.radial import radial_profile as mean_shears
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.statistics import ANNULI
from darkmatter_features.galaxies.measure import measure_with_sources
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import ShearMaps, centres, shear_maps
from darkmatter_features.maps.weighted import weighted_maps
from darkmatter_features.plots.panels import displayed
from darkmatter_features.plots.posterior import DECADES

Array = NDArray[np.float64]

IMAGE_SIDE = 512
"""Longest side of the image in a page, pixels; larger images are averaged in blocks."""
MAX_GALAXIES = 2000
"""Maximum number of galaxies of a sky in a page, the brightest; the page gives their total number, too."""
USUAL_SIDE = 512.0
"""Side of the skies for which the annuli are made, pixels; those of larger images are wider."""


@dataclass(frozen=True)
class SkyTask:
    """A sky to describe.

    Attributes
    ----------
    path : Path
        Its image.
    catalog : GalaxyCatalog or None
        Its galaxies if they were measured before; None to measure them.
    config : MeasureConfig
        Settings of the measurement.
    template : CompiledTemplate or None
        Template of the lens; without it the maps are those of the best Gaussian window.
    is_unlike : bool
        Whether the sky is unlike the training skies: the maps of an image with noise are then made for the image.
    """

    path: Path
    catalog: GalaxyCatalog | None
    config: MeasureConfig
    template: CompiledTemplate | None
    is_unlike: bool = False


@dataclass(frozen=True)
class MeasuredImage:
    """An image with its galaxies and their evidence for a lens.

    Attributes
    ----------
    sky : Sky
        The image.
    galaxies : PreparedCatalog
        Its galaxies.
    evidence : Evidence
        Their evidence.
    has_noise : bool
        Whether the image is known to have noise.
    """

    sky: Sky
    galaxies: PreparedCatalog
    evidence: Evidence
    has_noise: bool


def measured_image(task: SkyTask) -> MeasuredImage:
    """Read and measure the image of a task.

    Raises
    ------
    SkyError
        If the image cannot be read, or nothing can be measured in it.
    """
    sky = read_sky(task.path)
    catalog, has_noise = _galaxies(sky, task)
    galaxies = PreparedCatalog(catalog, task.template)
    return MeasuredImage(sky, galaxies, lens_evidence(galaxies), has_noise)


def describe_sky(task: SkyTask) -> dict[str, Any]:
    """Return the data of a sky for the page.

    Raises
    ------
    SkyError
        If the image cannot be read, or nothing can be measured in it.
    """
    return described(measured_image(task), task)


def described(measured: MeasuredImage, task: SkyTask) -> dict[str, Any]:
    """Return the data of a measured sky for the page."""
    sky, galaxies, evidence = measured.sky, measured.galaxies, measured.evidence
    kind, data = sky_image(sky)
    return {
        "image": f"data:{kind};base64,{data}",
        "extent": image_extent(sky.shape),
        "shape": list(sky.shape),
        "pixel_side": sky.pixel_side,
        "notes": list(sky.notes),
        "world": encoded_world(sky.wcs, sky.shape),
        **_maps(galaxies, task, is_other=task.is_unlike and measured.has_noise),
        "posterior": _posterior(evidence),
        "best": rounded([evidence.row, evidence.column, evidence.position_error]),
        "amplitude": evidence.amplitude,
        "bayes": rounded(
            [evidence.log_bayes_factor, evidence.log_bayes_factor_shear, evidence.log_bayes_factor_counts]
        ),
        "galaxies": _encoded_galaxies(galaxies.catalog),
        "profile": radial_profile(galaxies, evidence.row, evidence.column),
    }


def image_extent(shape: tuple[int, int]) -> list[int]:
    """Return the rows and columns of an image that its drawing covers: whole blocks of pixels."""
    block = -(-max(shape) // IMAGE_SIDE)
    return [side // block * block for side in shape]


def sky_image(sky: Sky) -> tuple[str, str]:
    """Return the media type and the base64 of the image of a sky, as the heatmap stretches it."""
    if sky.pixels.dtype == np.uint8 and sky.mask is None and max(sky.shape) <= IMAGE_SIDE:
        return encoded_image(np.broadcast_to(sky.pixels, (*sky.shape, 3)))
    pixels = displayed(sky, IMAGE_SIDE)[0]
    return encoded_image((255.0 * pixels + 0.5).astype(np.uint8))


def _galaxies(sky: Sky, task: SkyTask) -> tuple[GalaxyCatalog, bool]:
    """Return the galaxies, and whether the image is known to have noise."""
    if task.catalog is not None and not task.is_unlike:
        return task.catalog, False
    catalog, sources = measure_with_sources(sky, task.config)
    return catalog, sources is not None


def _maps(galaxies: PreparedCatalog, task: SkyTask, *, is_other: bool) -> dict[str, Any]:
    """Return the maps of S/N with their grid and the name of their filter, as the heatmap chooses them."""
    if task.template is not None and not is_other:
        rows, columns = centres(galaxies.catalog.shape, task.config)
        return _encoded_maps(rows, columns, matched_filter(galaxies, config=task.config), "matched filter")
    maps: ShearMaps = (
        weighted_maps(galaxies.catalog, task.config) if is_other else shear_maps(galaxies, config=task.config)
    )
    k = maps.best_scale
    scale = f"Gaussian window of {maps.scales[k]:.0f} px"
    return _encoded_maps(maps.rows, maps.columns, (maps.snr[k], maps.snr_cross[k]), scale)


def _encoded_maps(rows: Array, columns: Array, snr: tuple[Array, Array], name: str) -> dict[str, Any]:
    return {"grid": _grid(rows, columns), "filter": name, "snr": encoded_map(snr[0]), "cross": encoded_map(snr[1])}


def _posterior(evidence: Evidence) -> dict[str, Any]:
    """Return log10 of the posterior of the position over its peak, not below the range of the colours."""
    relative = (evidence.log_evidence - evidence.log_evidence.max()) / np.log(10.0)
    return {"grid": _grid(evidence.rows, evidence.columns), **encoded_map(np.maximum(relative, -float(DECADES)))}


def _grid(rows: Array, columns: Array) -> list[float]:
    """Return the first centre and the step of rows and columns, pixels; the step of one centre is that of the image."""
    steps = [float(axis[1] - axis[0]) if axis.size > 1 else 2.0 * float(axis[0]) + 1.0 for axis in (rows, columns)]
    return [float(rows[0]), steps[0], float(columns[0]), steps[1]]


def _encoded_galaxies(catalog: GalaxyCatalog) -> dict[str, Any]:
    """Return position, half-axes (rms) and orientation of the brightest galaxies."""
    chosen = np.sort(np.argsort(-catalog.flux, kind="stable")[:MAX_GALAXIES])
    modulus = np.hypot(catalog.e1, catalog.e2)[chosen]
    root_q = np.sqrt((1 - modulus) / (1 + modulus))
    size = catalog.size[chosen]
    columns = {
        "x": catalog.x[chosen], "y": catalog.y[chosen], "a": size / root_q, "b": size * root_q,
        "theta": catalog.theta[chosen],
    }  # fmt: skip
    return {"n": len(catalog), "shown": int(chosen.size)} | {k: encoded_column(v) for k, v in columns.items()}


def radial_profile(galaxies: PreparedCatalog, row: float, column: float) -> dict[str, Any]:
    """Return the mean tangential and cross shear about a position, in annuli.

    Parameters
    ----------
    galaxies : PreparedCatalog
        Galaxies of a sky.
    row, column : float, pixels
        Position.

    Returns
    -------
    dict
        ``radius``, pixels, the mean distance of the galaxies in each annulus that has any; ``gamma_t, gamma_x``, the
        means weighted by inverse variance; ``error``, ``1 / sqrt(sum of the weights)``; ``n``, numbers of galaxies.
    """
    catalog = galaxies.catalog
    z = (catalog.x - column) + 1j * (catalog.y - row)
    edges = np.array(ANNULI) * max(1.0, float(np.sqrt(np.prod(catalog.shape))) / USUAL_SIDE)
    found = mean_shears(z, galaxies.e1 + 1j * galaxies.e2, galaxies.weight, edges)
    columns = {name: rounded(values) for name, values in zip(found._fields[:-1], found[:-1], strict=True)}
    return columns | {"n": found.n_galaxies.tolist()}
