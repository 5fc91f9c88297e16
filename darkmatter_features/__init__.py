"""From an image of the sky to numbers: galaxies, their ellipticities, the tangential shear about every position.

Conventions
-----------
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
    Lengths are pixels, angles radians, ellipticities and shears without unit, fluxes the counts of the image.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkmatter_features.config import MeasureConfig
    from darkmatter_features.features.statistics import FEATURES, feature_row
    from darkmatter_features.galaxies.measure import measure
    from darkmatter_features.galaxies.noisy.catalog import SourceCatalog, measure_image
    from darkmatter_features.galaxies.segmentation import Segments, segment
    from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure_shapes
    from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
    from darkmatter_features.io.dataset import Dataset
    from darkmatter_features.io.sky import Sky, read_sky
    from darkmatter_features.lens.evidence import Evidence, lens_evidence
    from darkmatter_features.lens.prepared import PreparedCatalog
    from darkmatter_features.lens.template import LensTemplate
    from darkmatter_features.location.locate import Location, locate
    from darkmatter_features.maps.matched_filter import matched_filter
    from darkmatter_features.maps.shear import ShearMaps, shear_maps
    from darkmatter_features.plots.heatmap import heatmap

__version__ = "0.1.0"

# name -> module; loaded on first use, so that `darkmatter --help` need not wait for Numba and astropy.
_PUBLIC = {
    "Dataset": "io.dataset",
    "Evidence": "lens.evidence",
    "FEATURES": "features.statistics",
    "GalaxyCatalog": "galaxies.shapes",
    "LensTemplate": "lens.template",
    "Location": "location.locate",
    "MeasureConfig": "config",
    "PreparedCatalog": "lens.prepared",
    "Segments": "galaxies.segmentation",
    "ShapeCatalog": "io.catalogs",
    "ShearMaps": "maps.shear",
    "Sky": "io.sky",
    "SourceCatalog": "galaxies.noisy.catalog",
    "feature_row": "features.statistics",
    "heatmap": "plots.heatmap",
    "lens_evidence": "lens.evidence",
    "locate": "location.locate",
    "matched_filter": "maps.matched_filter",
    "measure": "galaxies.measure",
    "measure_image": "galaxies.noisy.catalog",
    "measure_shapes": "galaxies.shapes",
    "read_catalog": "io.catalogs",
    "read_sky": "io.sky",
    "segment": "galaxies.segmentation",
    "shear_maps": "maps.shear",
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
    "PreparedCatalog",
    "Segments",
    "ShapeCatalog",
    "ShearMaps",
    "Sky",
    "SourceCatalog",
    "feature_row",
    "heatmap",
    "lens_evidence",
    "locate",
    "matched_filter",
    "measure",
    "measure_image",
    "measure_shapes",
    "read_catalog",
    "read_sky",
    "segment",
    "shear_maps",
]
