"""From maps to a feature row: the statistics that a classifier learns from, each with a name and a meaning."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.shapes import Flag, GalaxyCatalog
from darkmatter_features.shear import N_SCALES, Peak, ShearMaps
from darkmatter_features.template import LensTemplate

# Radii about the peak, pixels, at which its profile is cut into annuli.
ANNULI = (0.0, 30.0, 60.0, 90.0, 130.0, 180.0, 250.0, 350.0)
# Galaxies within this radius of the peak are looked at for magnification, pixels.
NEAR = 90.0
# A second peak lies at least this many scales from the first.
APART = 2.0


@dataclass(frozen=True)
class Feature:
    """A column of the feature table: the classifier learns from those of role "evidence"."""

    name: str
    description: str
    role: Literal["evidence", "position"] = "evidence"


def _features() -> tuple[Feature, ...]:
    scales = range(1, N_SCALES + 1)
    annuli = [f"{inner:g} to {outer:g} px" for inner, outer in pairwise(ANNULI)]
    return (
        Feature("peak_row", "row of the highest peak, pixels", "position"),
        Feature("peak_column", "column of the highest peak, pixels", "position"),
        Feature("peak_snr", "S/N of the highest peak of all scales"),
        Feature("peak_scale", "Gaussian scale of the highest peak, pixels"),
        Feature("peak_cross", "S/N of the cross shear at the highest peak"),
        Feature("peak_border", "distance of the highest peak from the border, pixels"),
        *(Feature(f"snr_max_{k}", f"highest S/N of tangential shear at scale {k}") for k in scales),
        *(Feature(f"snr_second_{k}", f"highest S/N at scale {k}, away from the first peak") for k in scales),
        *(Feature(f"cross_max_{k}", f"largest absolute S/N of cross shear at scale {k}") for k in scales),
        *(Feature(f"gamma_t_{k}", f"mean tangential shear at the peak of scale {k}") for k in scales),
        *(Feature(f"profile_{k}", f"S/N of tangential shear {a} from the peak") for k, a in enumerate(annuli, 1)),
        *(Feature(f"counts_{k}", f"galaxies over an even density, {a} from the peak") for k, a in enumerate(annuli, 1)),
        Feature("near_size", f"mean log size within {NEAR:g} px of the peak, over that of the sky"),
        Feature("n_galaxies", "galaxies measured"),
        Feature("mean_e1", "mean e1 of the sky"),
        Feature("mean_e2", "mean e2 of the sky"),
        Feature("sigma_e", "scatter of ellipticity per component"),
        Feature("blended", "fraction of galaxies split from others"),
    )


FEATURES = _features()


def feature_row(catalog: GalaxyCatalog, maps: ShearMaps, template: LensTemplate | None = None) -> NDArray[np.float64]:
    """Return the features of a sky, in the order of :data:`FEATURES`.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of the sky.
    maps : ShearMaps
        Their maps.
    template : LensTemplate, optional
        The one that the maps were made with; that of the sky itself when not given.

    Returns
    -------
    (len(FEATURES),) float64 array
        nan where a statistic has no value (no galaxy in an annulus, no second peak).
    """
    template = template or LensTemplate.of_sky(catalog)
    peak = maps.peak
    highest = maps.snr.argmax(axis=None) // (maps.rows.size * maps.columns.size)
    cross = maps.snr_cross[highest].flat[maps.snr[highest].argmax()]
    return np.concatenate(
        [
            [peak.row, peak.column, peak.snr, peak.scale, cross, _distance_to_border(peak, maps.shape)],
            _by_scale(maps),
            _about_peak(catalog, peak, template),
            _of_sky(catalog),
        ]
    )


def _distance_to_border(peak: Peak, shape: tuple[int, int]) -> float:
    return min(peak.row, peak.column, shape[0] - 1 - peak.row, shape[1] - 1 - peak.column)


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
    distance = np.hypot(maps.rows[:, None] - row, maps.columns[None, :] - column)
    away = distance >= APART * maps.scales[scale]
    return float(maps.snr[scale][away].max()) if away.any() else np.nan


def _about_peak(catalog: GalaxyCatalog, peak: Peak, template: LensTemplate) -> NDArray[np.float64]:
    """Return the S/N of gamma_t and the counts in annuli about the peak, and the sizes near it."""
    dx, dy = catalog.x - peak.column, catalog.y - peak.row
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    mean_e1, mean_e2, weight = template.bias_and_weight(catalog.size)
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
        counts = number / (len(catalog) * _annulus_area(peak, catalog.shape))
        return np.concatenate([shear / np.sqrt(variance), counts, [magnified]])


def _annulus_area(peak: Peak, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the part of the picture that each annulus about the peak covers."""
    step = max(min(shape) // 64, 1)
    rows, columns = np.arange(0, shape[0], step), np.arange(0, shape[1], step)
    radius = np.hypot(rows[:, None] - peak.row, columns[None, :] - peak.column)
    return np.asarray(np.histogram(radius, np.array(ANNULI))[0] / radius.size)


def _of_sky(catalog: GalaxyCatalog) -> NDArray[np.float64]:
    sigma_e = np.sqrt(0.5 * (catalog.e1.var() + catalog.e2.var()))
    blended = np.mean((catalog.flags & Flag.BLENDED) != 0)
    return np.array([len(catalog), catalog.e1.mean(), catalog.e2.mean(), sigma_e, blended], dtype=np.float64)
