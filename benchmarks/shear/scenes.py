"""Scenes of the shear benchmark: galaxies and stars of known shear, drawn by GalSim without noise.

Lengths are in pixels of 0.2 arcsec and fluxes in standard deviations of the noise of a pixel. A scene with the same
number, another shear or a turn by 90 degrees holds the same galaxies, and :func:`noise_of` returns the same noise for
all of them: in means over shears of both signs, noise and shape noise cancel.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import galsim
import numpy as np
import pandas as pd
from astropy.io.fits import Header
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from shear.galaxies import (
    CELL,
    FFT,
    Sources,
    galaxies_in_cells,
    galaxies_in_field,
    galaxies_in_groups,
    light_profiles,
    stars,
)
from shear.psfs import PSFS, VaryingPsf

from darkmatter_features.simulation import lensing

Array = NDArray[np.float64]

SCALE = 0.2
"""Pixel scale, arcsec per pixel."""

NOISE_KERNELS = {"white": (1.0,), "correlated": (0.25, 1.0, 0.25)}
"""Kernels, along each axis, with which white noise is convolved; adjacent pixels correlate at 0.44 by the second."""

NOISE_SIGMA = 1.0
"""Standard deviation of the noise of a pixel: the unit of flux."""

KINDS = {"isolated": galaxies_in_cells, "blended": galaxies_in_field, "groups": galaxies_in_groups}
"""Draws the galaxies of a scene by its kind."""


@dataclass(frozen=True)
class Conditions:
    """Properties of a scene.

    Attributes
    ----------
    n_cells : int
        Side of the image in cells of 64 px; galaxies of the kind ``isolated`` are alone in their cell.
    psf : str
        ``moffat``: elliptical, e = 0.05; ``aberrated``: with coma, astigmatism and trefoil.
    psf_varies : bool
        Whether ellipticity and size of the PSF vary linearly over the image.
    noise : str
        ``white`` or ``correlated``.
    snr : (float, float)
        Range of the S/N of isolated galaxies, uniform in the logarithm. It is that of a filter that equals the
        galaxy, in white noise, before shear.
    density : float
        Number of galaxies above S/N 10 per square arcminute in other kinds; four times as many are fainter.
    star_density : float
        Number of stars per square arcminute; in the kind ``isolated`` they replace galaxies.
    n_turns : int
        Number of quarter turns of the finished image, as in ``numpy.rot90``.
    flipped : bool
        Whether the finished image is then mirrored along its rows, as in ``numpy.fliplr``.
    """

    n_cells: int = 8
    psf: str = "moffat"
    psf_varies: bool = False
    noise: str = "white"
    snr: tuple[float, float] = (10.0, 100.0)
    density: float = 30.0
    star_density: float = 0.0
    n_turns: int = 0
    flipped: bool = False

    def __post_init__(self) -> None:
        if self.psf not in PSFS:
            raise ValueError(f"psf must be one of {', '.join(PSFS)}, got {self.psf!r}")
        if self.noise not in NOISE_KERNELS:
            raise ValueError(f"noise must be one of {', '.join(NOISE_KERNELS)}, got {self.noise!r}")

    @property
    def side(self) -> int:
        """Side of the image, pixels."""
        return CELL * self.n_cells


@dataclass(frozen=True)
class Scene:
    """A scene without noise.

    Attributes
    ----------
    image : (side, side) float64 array
        Light on a background of zero.
    noise_sigma : float
        Standard deviation of the noise of a pixel.
    psf : callable
        Returns the PSF at column x and row y of the image, a (65, 65) float64 array with the response of the pixel;
        its sum is that part of unit flux that it holds.
    truth : pandas.DataFrame
        A row per galaxy or star: ``x`` and ``y`` (pixels), ``e1`` and ``e2`` (sheared), ``e1_unlensed`` and
        ``e2_unlensed``, ``radius`` (half-light, pixels), ``flux``, ``snr``, ``is_star``. Objects beyond the edge are
        included.
    shear : (float, float)
        Shear in the frame of the image, which differs from the given one if the image is turned or mirrored.
    header : astropy.io.fits.Header
        World coordinates. Of an image neither turned nor mirrored, columns are to the west and rows to the north;
        those of the others are such that the sky is the same.
    conditions : Conditions
        Properties of the scene.
    """

    image: Array
    noise_sigma: float
    psf: Callable[[float, float], Array]
    truth: pd.DataFrame
    shear: tuple[float, float]
    header: Header
    conditions: Conditions


def scene(
    rng_seed: int,
    kind: str,
    shear: tuple[float, float] = (0.0, 0.0),
    rotated: bool = False,
    **conditions: object,
) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    rng_seed : int
        Seed of the galaxies and stars.
    kind : str
        ``isolated``: galaxies in cells of 64 px, at random within a pixel of the centre of the cell; ``blended``:
        at random over the whole image; ``groups``: like ``isolated``, with neighbours.
    shear : (float, float)
        Reduced shear g1, g2, of galaxies and of their positions about the centre of the cell, or of the
        image (``blended``).
    rotated : bool
        Whether galaxies and positions are turned by 90 degrees about those centres before they are sheared.
    conditions
        Fields of :class:`Conditions`.

    Returns
    -------
    Scene
        The scene, without noise.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    given = Conditions(**conditions)  # type: ignore[arg-type]
    rng = np.random.default_rng(rng_seed)
    psf = VaryingPsf(PSFS[given.psf](), given.side, given.psf_varies)
    galaxies = KINDS[kind](rng, given, psf.central)
    shining = stars(rng, given, psf.central, in_cells=kind != "blended")
    lensed = galaxies.without_cells_of(shining).lensed(shear, rotated)
    upright = Scene(
        draw_image(given.side, lensed, shining, psf),
        NOISE_SIGMA,
        psf.stamp,
        truth_table(lensed, shining),
        shear,
        upright_coordinates(given.side),
        given,
    )
    return turned(upright)


def draw_image(side: int, galaxies: Sources, shining: Sources, psf: VaryingPsf) -> Array:
    """Return the image (side, side) of galaxies and stars through the PSF."""
    image = galsim.ImageD(side, side, xmin=0, ymin=0, scale=1.0)
    profiles = light_profiles()
    for i in range(len(galaxies)):
        local = psf.at(galaxies.x[i], galaxies.y[i])
        light = profiles[galaxies.profile[i]].transform(*galaxies.frame[i].ravel()).withFlux(galaxies.flux[i])
        _add(image, galsim.Convolve(light, local, gsparams=FFT), galaxies, i)
    for i in range(len(shining)):
        _add(image, psf.at(shining.x[i], shining.y[i]).withFlux(shining.flux[i]), shining, i)
    array: Array = image.array
    return array


def _add(image: galsim.Image, light: galsim.GSObject, sources: Sources, i: int) -> None:
    box = galsim.BoundsI(*(int(edge) for edge in sources.boxes[i])) & image.bounds
    if box.isDefined():
        light.drawImage(image[box], center=galsim.PositionD(sources.x[i], sources.y[i]), add_to_image=True)


def truth_table(galaxies: Sources, shining: Sources) -> pd.DataFrame:
    """Return the true catalogue of galaxies and stars."""
    tables = []
    for sources in (galaxies, shining):
        e1, e2 = lensing.ellipticity(sources.frame @ sources.frame.transpose(0, 2, 1))
        before = lensing.ellipticity(sources.unlensed_frame @ sources.unlensed_frame.transpose(0, 2, 1))
        columns = {
            "x": sources.x,
            "y": sources.y,
            "e1": e1,
            "e2": e2,
            "e1_unlensed": before[0],
            "e2_unlensed": before[1],
        }
        columns |= {"radius": sources.radius, "flux": sources.flux, "snr": sources.snr}
        tables.append(pd.DataFrame(columns | {"is_star": np.full(len(sources), sources is shining)}))
    return pd.concat(tables, ignore_index=True)


def noise_of(drawn: Scene, seed: int) -> Array:
    """Return noise (side, side) for a scene, the same for the same seed at any shear; add it to ``image``."""
    kernel = np.array(NOISE_KERNELS[drawn.conditions.noise])
    noise = np.random.default_rng(seed).normal(0.0, drawn.noise_sigma, drawn.image.shape)
    for axis in (0, 1):
        noise = convolve1d(noise, kernel / np.sqrt((kernel**2).sum()), axis=axis, mode="wrap")
    return _turned_array(noise, drawn.conditions)


def upright_coordinates(side: int) -> Header:
    """Return a tangential projection with columns to the west and rows to the north."""
    middle, step = 0.5 * (side + 1), SCALE / 3600.0
    values = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}
    values |= {"CRPIX1": middle, "CRPIX2": middle, "CD1_1": -step, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": step}
    return Header(values.items())


def turned(upright: Scene) -> Scene:
    """Return a scene turned and mirrored by its conditions, with its truth, PSF, shear and world coordinates."""
    given, last = upright.conditions, upright.conditions.side - 1.0
    jacobian = _jacobian(given)
    middle = 0.5 * last
    x, y = jacobian @ (upright.truth[["x", "y"]].to_numpy().T - middle) + middle
    truth = upright.truth.assign(x=x, y=y)
    for names in (("e1", "e2"), ("e1_unlensed", "e2_unlensed")):
        truth[list(names)] = np.column_stack(_turned_shear(jacobian, *(truth[name].to_numpy() for name in names)))
    header = upright.header.copy()
    cd = np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]]) @ jacobian.T
    for i in (0, 1):
        for j in (0, 1):
            header[f"CD{i + 1}_{j + 1}"] = cd[i, j]

    def psf(x: float, y: float) -> Array:
        before = jacobian.T @ (np.array([x, y]) - middle) + middle
        return _turned_array(upright.psf(float(before[0]), float(before[1])), given)

    shear = tuple(float(g) for g in _turned_shear(jacobian, *upright.shear))
    image = _turned_array(upright.image, given)
    return replace(upright, image=image, psf=psf, truth=truth, shear=shear, header=header)


def _turned_array(array: Array, given: Conditions) -> Array:
    array = np.rot90(array, given.n_turns)
    return np.ascontiguousarray(np.fliplr(array) if given.flipped else array)


def _jacobian(given: Conditions) -> Array:
    """Return the matrix (2, 2) from offsets x, y in the upright image to those in the turned one."""
    quarter = np.linalg.matrix_power(np.array([[0.0, 1.0], [-1.0, 0.0]]), given.n_turns % 4)
    return np.array([[-1.0, 0.0], [0.0, 1.0]]) @ quarter if given.flipped else quarter


def _turned_shear(jacobian: Array, e1: Array | float, e2: Array | float) -> tuple[Array | float, Array | float]:
    """Return the components of a spin-2 quantity after an orthogonal transformation by quarter turns and mirrors."""
    (a, b), (c, d) = jacobian
    return (a * a - b * b) * e1 + 2.0 * a * b * e2, (a * c - b * d) * e1 + (a * d + b * c) * e2
