"""From a picture of the sky to numbers: galaxies, their ellipses, and the tangential shear around every point.

The conventions, said once
--------------------------
Pixels
    ``x`` is the column and ``y`` the row, zero-based; the centres of pixels lie at integers, in the array as it
    was read (row 0 first). Positions in files are named ``row, column``.
Ellipticity
    ``e = (a - b) / (a + b) * exp(2i phi)`` with components ``e1, e2``; ``phi`` runs from +x towards +y. Its mean
    over randomly oriented galaxies estimates the reduced shear g (Seitz & Schneider 1997). It is GalSim's
    ``Shear(g1=e1, g2=e2)``, not GalSim's ``e1, e2``.
Tangential and cross shear
    ``gamma_t = -(e1 cos 2phi + e2 sin 2phi)`` and ``gamma_x = e1 sin 2phi - e2 cos 2phi``, with ``phi`` the polar
    angle of the galaxy about the candidate centre. TreeCorr has the same signs.
Names
    ``snr`` is a matched-filter signal to noise, ``theta_e`` an Einstein radius. Unknown is ``nan`` or ``None``.
Units
    Lengths are pixels, angles radians, ellipticities and shears without unit, fluxes the picture's own counts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkmatter_features.catalogs import ShapeCatalog, read_catalog
    from darkmatter_features.config import MeasureConfig
    from darkmatter_features.dataset import Dataset
    from darkmatter_features.evidence import Evidence, lens_evidence
    from darkmatter_features.location import Location, locate
    from darkmatter_features.matched import matched_filter
    from darkmatter_features.plots import heatmap
    from darkmatter_features.segmentation import Segments, segment
    from darkmatter_features.shapes import GalaxyCatalog, measure, measure_shapes
    from darkmatter_features.shear import ShearMaps, shear_maps
    from darkmatter_features.sky import Sky, read_sky
    from darkmatter_features.statistics import FEATURES, feature_row
    from darkmatter_features.template import LensTemplate

__version__ = "0.1.0"

# name -> module; loaded on first use, so that `darkmatter --help` need not wait for Numba and astropy.
_PUBLIC = {
    "Dataset": "dataset",
    "Evidence": "evidence",
    "FEATURES": "statistics",
    "GalaxyCatalog": "shapes",
    "LensTemplate": "template",
    "Location": "location",
    "MeasureConfig": "config",
    "Segments": "segmentation",
    "ShapeCatalog": "catalogs",
    "ShearMaps": "shear",
    "Sky": "sky",
    "feature_row": "statistics",
    "heatmap": "plots",
    "lens_evidence": "evidence",
    "locate": "location",
    "matched_filter": "matched",
    "measure": "shapes",
    "measure_shapes": "shapes",
    "read_catalog": "catalogs",
    "read_sky": "sky",
    "segment": "segmentation",
    "shear_maps": "shear",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


__all__ = [
    "FEATURES",
    "Dataset",
    "Evidence",
    "GalaxyCatalog",
    "LensTemplate",
    "Location",
    "MeasureConfig",
    "Segments",
    "ShapeCatalog",
    "ShearMaps",
    "Sky",
    "feature_row",
    "heatmap",
    "lens_evidence",
    "locate",
    "matched_filter",
    "measure",
    "measure_shapes",
    "read_catalog",
    "read_sky",
    "segment",
    "shear_maps",
]
