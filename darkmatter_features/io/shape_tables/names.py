"""Names of columns: those that are usual for a quantity, those of surveys, and the order of the others in messages."""

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

from darkmatter_features.errors import shown

MAX_SHOWN = 12
"""Maximum number of names in a message; survey catalogues have hundreds of columns."""

MAX_LENGTH = 60
"""Maximum length of a name in a message."""

_SHORT_SHAPE = ("e{}", "e_{}", "g{}", "g_{}", "gamma{}", "gamma_{}", "ell{}", "ell_{}", "ellip{}", "ellipticity{}")
_LONG_SHAPE = ("ellipticity_{}", "eps{}", "epsilon{}", "epsilon_{}", "shear{}", "shear_{}")
_POSITION = ("{}", "{}_image", "{}win_image", "{}_pix", "{}pix", "{}_pixel", "{}c", "{}_c", "{}cen", "{}_cen", "{}pos")
_CENTRE = ("{}_center", "{}_centre", "{}centroid", "{}_centroid", "{}_pos")
_WEIGHT = ("weight", "weights", "w", "wt", "shape_weight", "shapeweight", "lensfit_weight", "w_iv", "lens_weight")
COMMON_NAMES: dict[str, tuple[str, ...]] = {
    **{axis: tuple(name.format(axis) for name in _POSITION + _CENTRE) for axis in "xy"},
    **{f"e{k}": tuple(name.format(k) for name in _SHORT_SHAPE + _LONG_SHAPE) for k in (1, 2)},
    "weight": _WEIGHT,
    "size": ("size", "flux_radius", "r_half", "half_light_radius", "scalelength"),
    "ra": ("ra", "raj2000", "ra_j2000", "alphawin_j2000", "alpha_j2000", "alpha", "ra_deg", "ra_icrs", "coord_ra",
           "_raj2000", "_ra_icrs", "_ra.icrs", "_ra"),
    "dec": ("dec", "dej2000", "dec_j2000", "decj2000", "deltawin_j2000", "delta_j2000", "delta", "dec_deg", "decl",
            "de_icrs", "coord_dec", "_dej2000", "_de_icrs", "_de.icrs", "_de"),
    "step": ("mdet_step", "mcal_step", "metacal_step", "metadetect_step", "shear_step", "mcal_type", "mdet_type",
             "metacal_type", "shear_type", "mcal_shear", "mdet_shear", "metacal_shear", "shear_name", "shear_label",
             "shear"),
    "detector": ("ext_number", "ccd", "ccdnum", "ccd_id", "ccd_num", "detector", "detector_id", "chip",
                 "chip_id", "chipnum"),
    "star": ("star", "is_star", "isstar", "star_flag"),
}  # fmt: skip
"""Usual names of columns, in lower case, by quantity; `step` names the artificial shear of a row."""

RESPONSES = (
    ("response",), ("shear_response",), ("r11", "r22"), ("r_11", "r_22"), ("r_g11", "r_g22"), ("mcal_r11", "mcal_r22"),
    ("de1_dg1", "de2_dg2"),
)  # fmt: skip
"""Usual names of the response to shear, in lower case: one column, or those of both components."""

SKY_SHAPES = {"e1": "e1_sky", "e2": "e2_sky"}
"""Names of ellipticities with x to the west and y to the north, in lower case, beside those in the frame of pixels."""

VECTORS: dict[tuple[str, str], tuple[str, ...]] = {
    ("e1", "e2"): ("g", "e", "gamma", "shear", "ellip", "ellipticity", "epsilon"),
    ("x", "y"): ("xy", "pos", "position", "centroid"),
}
"""Last words of the names of columns that hold two quantities in a cell."""

UNSHEARED = ("noshear", "unsheared", "no_shear", "nosheared", "ns", "00")
"""Ends of the names that calibrations by artificial shear give to galaxies as they are."""

_NO_SHAPE = {
    "err", "error", "sigma", "std", "stddev", "var", "variance", "cov", "flag", "flags", "psf", "psfmodel", "bias",
    "add", "c", "m", "true", "rms", "unc", "star", "mag", "magnitude", "flux", "aper", "snr", "sn", "1p", "1m", "2p",
    "2m", "rot", "res", "residual", "prior", "pm", "e", "gaia", "tile", "field", "cluster", "halo", "bcg", "lens",
    "ref", "count", "n",
}  # fmt: skip
"""Words in the names of columns that hold something about a quantity, not the quantity."""

_SURVEY_NAMES: dict[str, re.Pattern[str]] = {
    **{
        f"e{k}": re.compile(rf"(?P<before>.*_)?(e|g|eps|epsilon|gamma|ell|ellip|ellipticity|shear)_?{k}(?P<after>_.*)?")
        for k in (1, 2)
    },
    "ra": re.compile(
        r"(?P<before>.*_)?([ugrizy]?ra|alpha|alphawin|right_?ascension)(?P<after>(?<!alpha)(?<!win)_.*|_(j2000|icrs|sky|deg|rad))?"
    ),
    "dec": re.compile(
        r"(?P<before>.*_)?([ugrizy]?dec|de|delta|deltawin|declination)(?P<after>(?<!de)(?<!delta)(?<!win)_.*|_(j2000|icrs|sky|deg|rad))?"
    ),
    **{axis: re.compile(rf"(?P<before>.*_)?(sdss)?centroid_{axis}(?P<after>)") for axis in "xy"},
    "weight": re.compile(r"(?P<before>.*_)(weight|weights|wt|shapeweight)(?P<after>_.*)?"),
}
"""Names of surveys: a prefix such as a band, a method or a table, the quantity, and a suffix."""

_CORRECTED = ("corrected", "corr", "cal", "calibrated", "noshear", "unsheared")
"""Suffixes of the better one of two columns of shapes."""

_HINTS = {
    **{f"e{k}": re.compile(rf"(?<!\d){k}$|ell|shape|shear|gamma|moment") for k in (1, 2)},
    "weight": re.compile(r"weight|^w|wt|sigma"),
    "ra": re.compile(r"ra$|^ra|alpha|ascension|lon"),
    "dec": re.compile(r"de$|dec|delta|lat"),
    **{axis: re.compile(rf"^{axis}|{axis}$|_{axis}_|{axis}(win|pos|cen)") for axis in "xy"},
}
"""Parts of names that are likely for a quantity."""


def candidates(names: Sequence[str], key: str) -> list[str]:
    """Return the columns that may hold a quantity: those with a usual name, or else those with a survey's name."""
    usual = [name for name in names if name.lower() in COMMON_NAMES.get(key, ())]
    if usual:
        return _one_of_a_kind(usual, key)
    survey = [name for name in names if key in _SURVEY_NAMES and is_survey_name(name, key)]
    return [name for name in survey if _tokens(name)[-1] in _CORRECTED] or survey


def _one_of_a_kind(names: Sequence[str], key: str) -> list[str]:
    """Return the best of the usual names that stand for the same positions; others are left to the user."""
    order = COMMON_NAMES[key]
    if key in ("ra", "dec", "step"):
        return sorted(names, key=lambda name: order.index(name.lower()))[:1]
    windowed = {name.lower() for name in names if "win_" in name.lower()}
    return [
        name for name in names if name.lower().replace("_image", "win_image") not in windowed or "win_" in name.lower()
    ]


def is_survey_name(name: str, key: str) -> bool:
    """Return whether a name has the form of those of surveys, such as ``i_hsmshaperegauss_e1``.

    Examples
    --------
    >>> is_survey_name("i_hsmshaperegauss_e1", "e1"), is_survey_name("psf_e1", "e1"), is_survey_name("e1_err", "e1")
    (True, False, False)
    """
    found = _SURVEY_NAMES[key].fullmatch(re.sub(r"[.\-\s]+", "_", name.lower()))
    if found is None:
        return False
    around = _tokens(f"{found['before'] or ''}_{found['after'] or ''}")
    return not any(each in _NO_SHAPE for each in around)


def responses(names: Sequence[str]) -> list[str]:
    """Return the columns of the response to shear; none without a usual name.

    Examples
    --------
    >>> responses(["e1", "R11", "R12", "R21", "R22"])
    ['R11', 'R22']
    """
    by_name = {name.lower(): name for name in names}
    found = (usual for usual in RESPONSES if set(usual) <= by_name.keys())
    return [by_name[name] for name in next(found, ())]


def vectors(names: Sequence[str], keys: tuple[str, str]) -> list[str]:
    """Return the columns whose two components may hold a pair of quantities."""
    plain = {name: name.lower() for name in names if {f"{name}[0]", f"{name}[1]"} <= set(names)}
    for end in UNSHEARED:
        plain = {name: lower.removesuffix(f"_{end}") for name, lower in plain.items()}
    return [
        name for name, lower in plain.items()
        if _tokens(lower)[-1] in VECTORS[keys] and _NO_SHAPE.isdisjoint(_tokens(lower)[:-1])
    ]  # fmt: skip


def of_one_family(names: Sequence[str], other: str) -> str | None:
    """Return the name that shares the longest start, of two letters at least, with another; None if none does."""
    shared = {name: _n_shared(name.lower(), other.lower()) for name in names}
    best = max(shared.values(), default=0)
    chosen = [name for name, length in shared.items() if length == best]
    return chosen[0] if best >= 2 and len(chosen) == 1 else None


def names_for_message(names: Iterable[str], key: str, given: str = "") -> str:
    """Return names for a message: a dozen, the most probable for a quantity first, and their number."""
    names = list(names)

    def unlikeliness(name: str) -> tuple[float, bool, bool, bool]:
        similar = SequenceMatcher(None, given.lower(), name.lower()).ratio() if given else 0.0
        is_survey = key in _SURVEY_NAMES and is_survey_name(name, key)
        is_hinted = key in _HINTS and bool(_HINTS[key].search(name.lower()))
        return -round(similar, 1), not is_survey, not is_hinted, not _NO_SHAPE.isdisjoint(_tokens(name))

    rest = f", ... ({len(names)} in all)" if len(names) > MAX_SHOWN else ""
    first = sorted(names, key=unlikeliness)[:MAX_SHOWN] if rest else names
    return ", ".join(shown(name)[:MAX_LENGTH] for name in first) + rest


def _n_shared(one: str, other: str) -> int:
    """Return the number of letters with which both words start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other)))


def _tokens(name: str) -> list[str]:
    return [each for each in re.split(r"[^a-z0-9]+", name.lower()) if each] or [""]
