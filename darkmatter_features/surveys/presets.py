"""Columns, calibration and sources of the shape catalogues of public surveys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from darkmatter_features.config import nearest
from darkmatter_features.errors import ConfigError
from darkmatter_features.surveys.calibration import Calibration


@dataclass(frozen=True)
class Preset:
    """How the shape catalogue of a survey is read.

    Attributes
    ----------
    title : str
        Survey, release and method of the shapes.
    columns : mapping
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`.
    calibration : Calibration
        Calibration beyond the response columns.
    source : str
        Public description of the columns.
    doubt : str
        What is not certain about them; "" for nothing.
    """

    title: str
    columns: Mapping[str, Any]
    source: str
    calibration: Calibration = field(default_factory=Calibration)
    doubt: str = ""

    def columns_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the survey, those that are given in their place."""
        return dict(self.columns) | {key: value for key, value in given.items() if value not in (None, False)}


_SIGNS = "the sign of e2: `darkmatter check` finds it"

PRESETS: Mapping[str, Preset] = MappingProxyType({
    "des-y3": Preset(
        "DES Y3, METACALIBRATION, table `unsheared`",
        {"ra": "ra", "dec": "dec", "e1": "e_1", "e2": "e_2", "weight": "weight", "response": "R11,R22"},
        "Gatti et al. (2021), arXiv:2011.03408; https://des.ncsa.illinois.edu/releases/y3a2",
        doubt=f"{_SIGNS}; the response of the selection, about one per cent, is not in the table",
    ),
    "des-y6": Preset(
        "DES Y6, METADETECTION, table `mdet/noshear`",
        {"ra": "ra", "dec": "dec", "e1": "gauss_g_1", "e2": "gauss_g_2", "weight": "w", "response": "none"},
        "Yamamoto, Becker et al. (2025), arXiv:2501.05665",
        doubt=f"{_SIGNS}; the response follows from the sheared tables, so that amplitudes are not calibrated",
    ),
    "euclid": Preset(
        "Euclid, LensMC",
        {"ra": "right_ascension", "dec": "declination", "e1": "she_lensmc_e1", "e2": "she_lensmc_e2",
         "weight": "she_lensmc_weight"},
        "Congedo et al. (2024), arXiv:2405.00669",
        doubt=f"the names, as in catalogues of the archive, and {_SIGNS}",
    ),
    "hsc-y3": Preset(
        "HSC Y3 (S19A), re-Gaussianization; e / 2R / (1 + m)",
        {"ra": "i_ra", "dec": "i_dec", "e1": "i_hsmshaperegauss_e1", "e2": "i_hsmshaperegauss_e2",
         "weight": "i_hsmshaperegauss_derived_weight", "response": "none"},
        "Li et al. (2022), arXiv:2107.00136; https://hsc-release.mtk.nao.ac.jp",
        Calibration(bias="i_hsmshaperegauss_derived_shear_bias_m", e_rms="i_hsmshaperegauss_derived_rms_e"),
        doubt=f"{_SIGNS}; the additive bias c1, c2 of each galaxy is not subtracted",
    ),
    "kids-1000": Preset(
        "KiDS-1000 (DR4.1), lensfit",
        {"ra": "ALPHA_J2000", "dec": "DELTA_J2000", "e1": "e1", "e2": "e2", "weight": "weight"},
        "Giblin et al. (2021), arXiv:2007.01845; https://kids.strw.leidenuniv.nl/DR4",
        doubt=f"{_SIGNS}; 1 + m is a number for each redshift bin, of one per cent, and not in the table",
    ),
    "rubin": Preset(
        "Rubin, Object table, re-Gaussianization in the i band",
        {"ra": "coord_ra", "dec": "coord_dec", "e1": "i_hsmShapeRegauss_e1", "e2": "i_hsmShapeRegauss_e2",
         "distortion": True},
        "https://sdm-schemas.lsst.io, table Object",
        doubt=f"the shapes may refer to the pixels of a tract, not to north, and {_SIGNS}; there are no weights",
    ),
    "unions": Preset(
        "UNIONS, ShapePipe",
        {"ra": "RA", "dec": "Dec", "e1": "e1", "e2": "e2", "weight": "w"},
        "Guinot et al. (2022), arXiv:2204.04798",
        doubt=f"all names: the catalogue is not public at the time of writing; {_SIGNS}",
    ),
})  # fmt: skip
"""Catalogues by the name of the option."""


def preset(name: str) -> Preset:
    """Return how the shape catalogue of a survey is read.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown survey {name!r}; {nearest(name, list(PRESETS))}surveys are {', '.join(PRESETS)}")
    return PRESETS[name]
