"""From maps to a feature row: the statistics that a classifier learns from, each with a name and a meaning."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.lens.likelihood import share_within
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import N_SCALES, ShearMaps

# Radii about the best-fit position, pixels, at which the profile is cut into annuli.
ANNULI = (0.0, 30.0, 60.0, 90.0, 130.0, 180.0, 250.0, 350.0)
# Galaxies within this radius of the best-fit position are looked at for magnification, pixels.
NEAR = 90.0
# A second peak lies at least this many scales from the first.
APART = 2.0


@dataclass(frozen=True)
class Feature:
    """A column of the feature table: the classifier learns from those of role "input"."""

    name: str
    description: str
    role: Literal["input", "position"] = "input"


def _features() -> tuple[Feature, ...]:
    scales = range(1, N_SCALES + 1)
    annuli = [f"{inner:g} to {outer:g} px" for inner, outer in pairwise(ANNULI)]
    return (
        Feature("row", "row of the best-fit position of a lens, pixels", "position"),
        Feature("column", "column of the best-fit position of a lens, pixels", "position"),
        Feature("evidence", "log evidence for a lens, from shapes and counts"),
        Feature("evidence_shear", "log evidence for a lens, from shapes alone"),
        Feature("evidence_counts", "log evidence for a lens, from counts alone"),
        Feature("amplitude", "strength of the best-fit lens, over that of the mean one"),
        Feature("position_error", "how far a lens may be from its best-fit position, rms, pixels"),
        Feature("border", "distance of the best-fit position from the border, pixels"),
        Feature("peak_snr", "S/N of the highest peak of all scales"),
        Feature("peak_scale", "Gaussian scale of the highest peak, pixels"),
        Feature("peak_cross", "S/N of the cross shear at the highest peak"),
        Feature("peak_offset", "distance of the highest peak from the best-fit position, pixels"),
        *(Feature(f"snr_max_{k}", f"highest S/N of tangential shear at scale {k}") for k in scales),
        *(Feature(f"snr_second_{k}", f"highest S/N at scale {k}, away from the first peak") for k in scales),
        *(Feature(f"cross_max_{k}", f"largest absolute S/N of cross shear at scale {k}") for k in scales),
        *(Feature(f"gamma_t_{k}", f"mean tangential shear at the peak of scale {k}") for k in scales),
        *(Feature(f"profile_{k}", f"S/N of gamma_t, {a} from the best-fit position") for k, a in enumerate(annuli, 1)),
        *(
            Feature(f"counts_{k}", f"galaxies over even, {a} from the best-fit position")
            for k, a in enumerate(annuli, 1)
        ),
        Feature("near_size", f"mean log size within {NEAR:g} px of the best-fit position, over that of the sky"),
        Feature("n_galaxies", "galaxies measured"),
        Feature("mean_e1", "mean e1 of the sky"),
        Feature("mean_e2", "mean e2 of the sky"),
        Feature("sigma_e", "scatter of ellipticity per component"),
        Feature("partial", "fraction of galaxies split from others or cut by the border"),
    )


FEATURES = _features()


def feature_row(
    catalog: GalaxyCatalog, maps: ShearMaps, evidence: Evidence, template: LensTemplate | None = None
) -> NDArray[np.float64]:
    """Return the features of a sky, in the order of :data:`FEATURES`.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of the sky.
    maps : ShearMaps
        Their maps.
    evidence : Evidence
        Their evidence for a lens.
    template : LensTemplate, optional
        The one that both were made with; that of the sky itself when not given.

    Returns
    -------
    (len(FEATURES),) float64 array
        nan where a statistic has no value (no galaxy in an annulus, no second peak).
    """
    template = template or LensTemplate.of_sky(catalog)
    return np.concatenate(
        [
            _of_evidence(evidence),
            _of_peak(maps, evidence),
            _by_scale(maps),
            _about(catalog, evidence, template),
            _of_sky(catalog),
        ]
    )


def _of_evidence(evidence: Evidence) -> NDArray[np.float64]:
    row, column = evidence.row, evidence.column
    border = min(row, column, evidence.shape[0] - 1 - row, evidence.shape[1] - 1 - column)
    odds = (evidence.log_bayes_factor, evidence.log_bayes_factor_shear, evidence.log_bayes_factor_counts)
    return np.array([row, column, *odds, evidence.amplitude, evidence.position_error, border])


def _of_peak(maps: ShearMaps, evidence: Evidence) -> NDArray[np.float64]:
    peak, scale = maps.peak, maps.best_scale
    cross = maps.snr_cross[scale].flat[maps.snr[scale].argmax()]
    return np.array([peak.snr, peak.scale, cross, np.hypot(peak.row - evidence.row, peak.column - evidence.column)])


def _by_scale(maps: ShearMaps) -> NDArray[np.float64]:
    places = maps.snr.reshape(N_SCALES, -1).argmax(axis=1)
    scales = range(N_SCALES)
    highest = [maps.snr[k].flat[places[k]] for k in scales]
    second = [_second_peak(maps, k, int(places[k])) for k in scales]
    cross = np.abs(maps.snr_cross).max(axis=(1, 2))
    gamma_t = [maps.gamma_t[k].flat[places[k]] for k in scales]
    return np.concatenate([highest, second, cross, gamma_t])


def _second_peak(maps: ShearMaps, scale: int, place: int) -> float:
    """Return the highest S/N at least APART scales from `place`; nan if the picture is too small to hold one."""
    row, column = maps.rows[place // maps.columns.size], maps.columns[place % maps.columns.size]
    square = (maps.rows[:, None] - row) ** 2 + (maps.columns - column) ** 2
    away = square >= (APART * maps.scales[scale]) ** 2
    return float(maps.snr[scale][away].max()) if away.any() else np.nan


def _about(catalog: GalaxyCatalog, evidence: Evidence, template: LensTemplate) -> NDArray[np.float64]:
    """Return the S/N of gamma_t and the counts in annuli about the best-fit position, and the sizes near it."""
    dx, dy = catalog.x - evidence.column, catalog.y - evidence.row
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    mean_e1, mean_e2, weight = template.unlensed(catalog)
    gamma_t = -(catalog.e1 - mean_e1) * np.cos(2 * angle) - (catalog.e2 - mean_e2) * np.sin(2 * angle)
    annulus = np.searchsorted(np.array(ANNULI), radius, side="right") - 1
    n_annuli = len(ANNULI) - 1
    in_reach = annulus < n_annuli
    number = np.bincount(annulus[in_reach], minlength=n_annuli)
    shear = np.bincount(annulus[in_reach], (weight * gamma_t)[in_reach], minlength=n_annuli)
    variance = np.bincount(annulus[in_reach], weight[in_reach], minlength=n_annuli)
    log_size = np.log(catalog.size)
    near = radius < NEAR
    magnified = log_size[near].mean() - log_size.mean() if near.any() else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        counts = number / (len(catalog) * _annulus_area(evidence))
        return np.concatenate([shear / np.sqrt(variance), counts, [magnified]])


def _annulus_area(evidence: Evidence) -> NDArray[np.float64]:
    """Return the part of the picture that each annulus about the best-fit position covers."""
    within = share_within(evidence.shape, evidence.row, np.array([evidence.column]), np.array(ANNULI[1:]))
    return np.diff(within[0], prepend=0.0)


def _of_sky(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    sigma_e = np.sqrt(0.5 * (catalog.e1.var() + catalog.e2.var()))
    blended = catalog.is_partial.mean()
    return np.array([len(catalog), catalog.e1.mean(), catalog.e2.mean(), sigma_e, blended], dtype=np.float64)
