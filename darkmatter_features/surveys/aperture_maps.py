"""Aperture mass of a survey and its S/N, with the filters that the literature uses, patch by patch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.aperture_mass import CORNER, FILTERS
from darkmatter_features.io.fits_output import write_fits
from darkmatter_features.io.table import written_whole
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.surveys.filter_maps import Map, filter_bank
from darkmatter_features.surveys.frame import Frame
from darkmatter_features.surveys.maps import PatchMaps, map_header
from darkmatter_features.surveys.patches import Patch
from darkmatter_features.surveys.profiles import MAX_RADIUS, NODE_SPACING
from darkmatter_features.surveys.sky_patch import SkyPatch

Array = NDArray[np.float64]

EXTENSIONS = {"mass": "MAP", "snr": "SNR", "cross": "SNR_CROSS"}
"""Names of the images, those of a field."""


class ApertureMaps(NamedTuple):
    """Maps of one filter over the pixels of the other maps of a patch.

    Attributes
    ----------
    filter_name : str
        Name of the filter.
    radius : float, arcmin
        Aperture radius.
    mass : (n_rows, n_columns) float32 array
        Aperture mass, dimensionless.
    snr, cross : (n_rows, n_columns) float32 arrays
        Its S/N, and that of cross shear; nan as in the other maps.
    """

    filter_name: str
    radius: float
    mass: Map
    snr: Map
    cross: Map


def survey_radii(scales: Sequence[float]) -> tuple[float, ...]:
    """Return the aperture radii for scale radii, arcmin: ``scale / 0.15``, that of the largest profile at most."""
    return tuple(sorted({min(scale / CORNER, MAX_RADIUS) for scale in scales}))


def aperture_maps(patch: SkyPatch, maps: PatchMaps, scales: Sequence[float]) -> list[ApertureMaps]:
    """Return the aperture mass of the galaxies of a patch for each filter and radius.

    Parameters
    ----------
    patch : SkyPatch
        Galaxies.
    maps : PatchMaps
        Maps of the search, whose pixels are used.
    scales : sequence of float, arcmin
        Scale radii of the search.

    Notes
    -----
    The estimate of :func:`~darkmatter_features.candidates.aperture_mass.aperture_mass`, with inverse variances as
    weights.
    """
    nodes: Array = np.arange(round(MAX_RADIUS / NODE_SPACING) + 2) * np.float64(NODE_SPACING)
    across, up = (each.ravel() for each in np.meshgrid(maps.x, maps.y))
    cells = patch.grid.cells(across, up)
    is_empty = np.isnan(maps.snr)
    weighted = (patch.v * patch.e).astype(np.complex64)
    found = []
    for radius in survey_radii(scales):
        shear = np.stack([*(filter_(nodes / radius) for filter_ in FILTERS.values()), nodes <= radius], axis=1)
        bank = filter_bank(patch, ShearProfiles((*FILTERS, "number"), shear.astype(np.float64), NODE_SPACING))
        roots = [root.ravel()[cells].reshape(is_empty.shape) for root in bank.inverse_roots]
        for name, snr, root in zip(FILTERS, bank.snr_maps(weighted), roots):
            own = np.where(is_empty | (root == 0.0), np.nan, snr.ravel()[cells].reshape(is_empty.shape))
            mass = np.pi * own.real * np.square(roots[-1]) / np.where(root > 0.0, root, np.nan)
            found.append(ApertureMaps(name, radius, *(each.astype(np.float32) for each in (mass, own.real, own.imag))))
    return found


def write_aperture_maps(
    folder: Path, frame: Frame, found: Sequence[tuple[Patch, PatchMaps, list[ApertureMaps]]], unit: str
) -> None:
    """Write ``aperture_mass.fits`` and ``aperture_mass_snr.fits``, with images for each patch, filter and radius.

    Parameters
    ----------
    folder : Path
        Folder.
    frame : SphereFrame or PlaneFrame
        Frame of the survey.
    found : sequence of (Patch, PatchMaps, list of ApertureMaps)
        Patches with their maps.
    unit : str
        Name of the unit of the radii in the header.
    """
    from astropy.io import fits

    for path, names in (("aperture_mass.fits", ("mass",)), ("aperture_mass_snr.fits", ("snr", "cross"))):
        images: list[Any] = []
        for patch, maps, all_filters in found:
            for each in all_filters if maps.x.size else ():
                for name in names:
                    image = fits.ImageHDU(getattr(each, name), map_header(frame, patch, maps), name=EXTENSIONS[name])
                    image.ver = 1 + sum(other.name == image.name for other in images)
                    image.header["FILTER"] = (each.filter_name, "filter of the aperture mass")
                    image.header["RADIUS"] = (each.radius, f"aperture radius, {unit}")
                    image.header["BUNIT"] = ""
                    images.append(image)
        with written_whole(folder / path) as temporary:
            write_fits(temporary, [fits.PrimaryHDU(), *images])
