"""Catalogues of ellipses by other packages: SEP, photutils, scikit-image and GalSim.

Each package gets the brightest channel of an image on a black background, the threshold and the minimum number of
pixels that darkmatter uses, and its own defaults for everything else. Ellipticities are returned in the convention of
darkmatter, e = (a - b) / (a + b) exp(2i phi), with phi from +x towards +y.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Shapes(NamedTuple):
    """Positions (pixels) and complex ellipticities of galaxies, (n,) each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    e: NDArray[np.complex128]


Competitor = Callable[[NDArray[np.float32], float, int], Shapes]
"""From an image, a threshold and a minimum number of pixels to shapes."""

REMEDY = "pip install -c constraints.txt '.[bench]'"
"""Command that installs all competitors."""


def shapes_from_axes(x: Any, y: Any, a: Any, b: Any, phi: Any) -> Shapes:
    """Return the shapes of ellipses with half-axes a and b at angle phi, without those that are not finite."""
    with np.errstate(invalid="ignore"):
        e = (a - b) / (a + b) * np.exp(2j * phi)
    known = np.isfinite(e)
    return Shapes(*(np.asarray(values)[known] for values in (x, y, e)))


def sep_shapes(image: NDArray[np.float32], threshold: float, n_pixels: int) -> Shapes:
    """Return the shapes of SEP (Source Extractor) with deblending; its theta runs from +x towards +y."""
    import sep

    found = sep.extract(image, threshold, minarea=n_pixels)
    return shapes_from_axes(*(found[name].astype(float) for name in ("x", "y", "a", "b", "theta")))


def photutils_shapes(image: NDArray[np.float32], threshold: float, n_pixels: int, *, deblended: bool = False) -> Shapes:
    """Return the shapes of photutils, whose orientation is in degrees from +x towards +y."""
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

    segments = detect_sources(image, threshold, n_pixels)
    if deblended:
        segments = deblend_sources(image, segments, n_pixels, progress_bar=False)
    catalog = SourceCatalog(image, segments)
    a, b, phi = (getattr(catalog, name) for name in ("semimajor_axis", "semiminor_axis", "orientation"))
    return shapes_from_axes(catalog.x_centroid, catalog.y_centroid, a.value, b.value, phi.to_value("rad"))


def photutils_deblended_shapes(image: NDArray[np.float32], threshold: float, n_pixels: int) -> Shapes:
    """Return the shapes of photutils with deblending."""
    return photutils_shapes(image, threshold, n_pixels, deblended=True)


def regionprops_shapes(image: NDArray[np.float32], threshold: float, n_pixels: int) -> Shapes:
    """Return the shapes of scikit-image, whose orientation runs from +y to +x: phi = pi/2 - orientation."""
    from skimage.measure import label, regionprops_table

    names = ("area", "centroid_weighted", "axis_major_length", "axis_minor_length", "orientation")
    table = regionprops_table(label(image > threshold, connectivity=2), image, properties=names)
    kept = table["area"] >= n_pixels
    y, x, a, b, orientation = (values[kept] for name, values in table.items() if name != "area")
    return shapes_from_axes(x, y, a, b, np.pi / 2 - orientation)


def hsm_shapes(image: NDArray[np.float32], threshold: float, n_pixels: int) -> Shapes:
    """Return GalSim's adaptive moments (HSM) of connected segments, without those that do not converge."""
    from scipy import ndimage

    labels, _ = ndimage.label(image > threshold, structure=np.ones((3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == number
        if np.count_nonzero(own) >= n_pixels:
            found += _adaptive_moments(np.where(own, image[box], 0), own, box)
    x, y, e = np.array(found, dtype=complex).reshape(-1, 3).T
    return Shapes(x.real, y.real, e)


def _adaptive_moments(
    stamp: NDArray[np.float32], own: NDArray[np.bool_], box: Any
) -> list[tuple[float, float, complex]]:
    from galsim import Image
    from galsim.hsm import FindAdaptiveMom

    image = Image(stamp, xmin=box[1].start, ymin=box[0].start)
    moments = FindAdaptiveMom(image, guess_sig=0.5 * np.sqrt(own.sum() / np.pi), strict=False)
    if moments.moments_status != 0:
        return []
    centre, shape = moments.moments_centroid, moments.observed_shape
    return [(centre.x, centre.y, complex(shape.g1, shape.g2))]


SEP = "SEP"
PHOTUTILS = "photutils"
DEBLENDED = "photutils, deblended"
COMPETITORS: dict[str, tuple[str, Competitor]] = {
    SEP: ("sep", sep_shapes),
    PHOTUTILS: ("photutils", photutils_shapes),
    DEBLENDED: ("photutils", photutils_deblended_shapes),
    "scikit-image regionprops": ("skimage", regionprops_shapes),
    "GalSim HSM": ("galsim", hsm_shapes),
}
"""From the name to the package that is needed and the function that makes the catalogue."""


def installed() -> tuple[dict[str, Competitor], list[str]]:
    """Return the competitors whose package is installed, and one line for each of the others."""
    here = {name: work for name, (package, work) in COMPETITORS.items() if find_spec(package)}
    return here, [
        f"{name} is left out: install {package} ({REMEDY})"
        for name, (package, _) in COMPETITORS.items()
        if name not in here
    ]
