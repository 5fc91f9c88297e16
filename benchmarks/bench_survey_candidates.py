"""`candidates` on simulated surveys with NFW halos of a mass function: completeness at a purity, calibration, time.

    python benchmarks/bench_survey_candidates.py [--area 25 --surveys 1 --blank 40 --jobs N]

Halos have the mass function of Tinker et al. (2008) and concentrations of Diemer & Joyce (2019), by colossus (extra
`bench`), at random positions; sources 30 per square arcmin with n(z) ~ z^2 exp(-(z / 0.5)^1.5), shape noise 0.26 per
component, and a twentieth of the area masked by discs. A candidate is true if a halo whose own S/N without noise is 2
or more lies within 2.5 arcmin. Beside the search stand peaks of the aperture mass of Schirmer et al. (2007) with the
radius that is best. Blank surveys of one square degree test the false-alarm probabilities.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness.report import print_table, write_record
from scipy.spatial import cKDTree
from scipy.special import expit
from scipy.stats import kstest

from darkmatter_features.location.profiles import ShearProfiles, nfw
from darkmatter_features.surveys.filter_maps import filter_bank
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.peaks import find_peaks
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.surveys.sky_patch import sky_patch

DENSITY, SCATTER = 30.0, 0.26
"""Sources per square arcmin, and shape noise per component."""
MIN_MASS, MAX_REDSHIFT = 3e13, 1.2
"""Smallest halo, solar masses / h, and largest redshift."""
FOUR_PI_G = 6.0142e-19
"""4 pi G / c^2, Mpc per solar mass."""
MATCH, TRUE_SNR = 2.5, 2.0
"""Distance of a candidate from its halo, arcmin, and smallest S/N of a halo that makes it true."""
RADIUS = 20.0
"""Radius within which a halo shears galaxies, arcmin."""
SCHIRMER_RADII = (3.0, 5.0, 8.0, 12.0)
"""Radii of the aperture mass, arcmin."""
PURITY = 0.95


def halos_of(rng: np.random.Generator, area: float) -> dict[str, np.ndarray]:
    """Return masses, redshifts, scale radii (arcmin) and ``rho_s r_s 4 pi G D_l / c^2`` of the halos of an area."""
    from colossus.cosmology import cosmology
    from colossus.halo import concentration
    from colossus.lss import mass_function

    cosmo = cosmology.setCosmology("planck18", persistence="")
    edges, mass = np.arange(0.05, MAX_REDSHIFT, 0.05), np.geomspace(MIN_MASS, 3e15, 200)
    found: list[np.ndarray] = []
    for z in edges + 0.025:
        near, far = (cosmo.comovingDistance(0.0, each) for each in (z - 0.025, z + 0.025))
        volume = area * np.deg2rad(1.0) ** 2 * (far**3 - near**3) / 3.0
        density = mass_function.massFunction(mass, z, mdef="200c", model="tinker08", q_out="dndlnM")
        steps = np.diff(np.log(mass)) * 0.5 * (density[1:] + density[:-1])
        n = rng.poisson(volume * steps.sum())
        if n == 0:
            continue
        m = np.interp(rng.random(n), np.append(0.0, np.cumsum(steps) / steps.sum()), mass)
        c = concentration.concentration(m, "200c", z, model="diemer19")
        r_s = (m / (800.0 / 3.0 * np.pi * cosmo.rho_c(z) * 1e9)) ** (1 / 3) / c  # Mpc / h
        distance = cosmo.angularDiameterDistance(z)
        rho_r = m / (4.0 * np.pi * r_s**2 * (np.log(1.0 + c) - c / (1.0 + c)))
        found.append(np.stack([m, np.full(n, z), np.rad2deg(r_s / distance) * 60, FOUR_PI_G * rho_r * distance]))
    return dict(zip(("mass", "z", "scale", "strength"), np.concatenate(found, axis=1)))


def simulate(rng: np.random.Generator, area: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return positions x + i y (arcmin), ellipticities, redshifts, and halos with positions and S/N without noise."""
    from colossus.cosmology import cosmology

    side = 60.0 * np.sqrt(area)
    n = rng.poisson(DENSITY * side**2)
    z = rng.uniform(0, side, n) + 1j * rng.uniform(0, side, n)
    holes = rng.uniform(0, side, (round(area * 60**2 * 0.05 / (np.pi * 3.0**2)), 2))
    masked = np.unique(np.concatenate([*cKDTree(np.c_[z.real, z.imag]).query_ball_point(holes, 3.0), []]).astype(int))
    z = np.delete(z, masked)
    halos = halos_of(rng, area)
    cosmo = cosmology.getCurrent()
    redshift = np.interp(rng.random(len(z)), *source_distribution())
    distance = cosmo.comovingDistance(0.0, np.linspace(0, 4, 400))
    far = np.interp(redshift, np.linspace(0, 4, 400), distance)
    position = rng.uniform(0, side, (len(halos["mass"]), 2))
    tree, g, snr = cKDTree(np.c_[z.real, z.imag]), np.zeros(len(z), dtype=complex), np.zeros(len(position))
    for k, (x, y) in enumerate(position):
        near = np.array(tree.query_ball_point([x, y], RADIUS), dtype=int)
        away = z[near] - complex(x, y)
        beta = np.maximum(1.0 - np.interp(halos["z"][k], np.linspace(0, 4, 400), distance) / far[near], 0.0)
        shear = halos["strength"][k] * beta * nfw(np.abs(away), halos["scale"][k])
        g[near] -= shear * np.exp(2j * np.angle(away))
        snr[k] = np.sqrt(np.square(shear).sum()) / SCATTER
    e = np.minimum(SCATTER * rng.rayleigh(size=len(z)), 0.95) * np.exp(2j * np.pi * rng.random(len(z)))
    e = (e + g) / (1.0 + np.conj(g) * e)
    return z, e, redshift, halos | {"x": position[:, 0], "y": position[:, 1], "snr": snr}


def source_distribution() -> tuple[np.ndarray, np.ndarray]:
    """Return the cumulative distribution of the redshifts of sources, and the redshifts."""
    z = np.linspace(0.01, 4.0, 400)
    cumulative = np.cumsum(z**2 * np.exp(-((z / 0.5) ** 1.5)))
    return cumulative / cumulative[-1], z


def matched(x: np.ndarray, y: np.ndarray, halos: dict[str, np.ndarray]) -> np.ndarray:
    """Return the halo of each candidate, in their order, each halo once; -1 for none."""
    free = halos["snr"] >= TRUE_SNR
    result = np.full(len(x), -1)
    for k in range(len(x)):
        near = np.flatnonzero(free & (np.hypot(halos["x"] - x[k], halos["y"] - y[k]) < MATCH))
        if near.size:
            result[k] = near[halos["snr"][near].argmax()]
            free[result[k]] = False
    return result


def n_at_purity(is_true: Sequence[bool]) -> int:
    """Return the number of true candidates in the longest list, from the best, with the purity that is wanted."""
    true = np.cumsum(np.asarray(is_true, dtype=int))
    pure = np.flatnonzero(true >= PURITY * np.arange(1, len(true) + 1))
    return int(true[pure[-1]]) if pure.size else 0


def schirmer(z: np.ndarray, e: np.ndarray, halos: dict[str, np.ndarray]) -> dict[str, int]:
    """Return the number of true peaks of the aperture mass at the purity, by radius."""
    patch = sky_patch(z.real, z.imag, e, np.full(len(z), SCATTER**-2), cell=0.25, border=max(SCHIRMER_RADII))
    result = {}
    for radius in SCHIRMER_RADII:
        r = np.arange(round(radius / 0.01) + 1) * 0.01
        x = np.maximum(r / radius, 1e-6)
        q = expit(150 * x - 6) * expit(47 - 50 * x) * np.tanh(x / 0.15) / (x / 0.15)
        q[-1] = 0.0
        bank = filter_bank(patch, ShearProfiles(("aperture mass",), q[:, None].copy(), 0.01))
        best, _ = bank.best((patch.v * patch.e).astype(np.complex64))
        peaks = find_peaks(bank, best, 3.5)
        result[f"{radius:g}"] = n_at_purity(matched(peaks.x, peaks.y, halos) >= 0)
    return result


def one_survey(seed: int, area: float, n_jobs: int) -> dict[str, Any]:
    """Return the figures of one survey."""
    z, e, _, halos = simulate(np.random.default_rng(seed), area)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), z, e)
        start = time.perf_counter()
        search = SurveySearch(threshold=4.0, unit="arcmin")
        found = find_survey_candidates(path, search, n_jobs=n_jobs)
        seconds = time.perf_counter() - start
    ranked = sorted(found, key=lambda each: -each.search_snr)
    x, y = np.array([[each.x, each.y] for each in ranked]).T
    halo = matched(x, y, halos)
    purity = np.array([each.expected_purity for each in ranked])
    distance = np.hypot(x - halos["x"][halo], y - halos["y"][halo])[halo >= 0]
    error = np.array([each.position_error for each in ranked])[halo >= 0]
    listed = np.array([each.search_snr for each in ranked]) >= 4.5
    strong = np.array([each.snr for each in ranked])[halo >= 0] >= 5.0
    return {
        "n": len(z), "n_candidates": len(ranked), "n_true": int((halo >= 0).sum()), "seconds": seconds,
        "n_at_purity": n_at_purity(halo >= 0), "aperture_mass": schirmer(z, e, halos),
        "n_listed": int(listed.sum()), "expected_true": float(purity[listed].sum()),
        "found_true": int((halo >= 0)[listed].sum()), "within_error": (distance / error)[strong].tolist(),
    }  # fmt: skip


def written(folder: Path, z: np.ndarray, e: np.ndarray) -> Path:
    """Write a plane survey and return its path."""
    pq.write_table(pa.table({"x": z.real, "y": z.imag, "e1": e.real, "e2": e.imag}), folder / "survey.parquet")
    return folder / "survey.parquet"


def blank_chance(seed: int) -> float:
    """Return the false-alarm probability of the best candidate of a survey without a lens."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 60, 108_000) + 1j * rng.uniform(0, 60, 108_000)
    e = np.minimum(SCATTER * rng.rayleigh(size=z.size), 0.95) * np.exp(2j * np.pi * rng.random(z.size))
    with tempfile.TemporaryDirectory() as folder:
        search = SurveySearch(threshold=3.0, completeness=False, seed=seed)
        found = find_survey_candidates(written(Path(folder), z, e), search, n_jobs=1)
    return min((each.false_alarm_probability for each in found), default=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", type=float, default=25.0, help="square degrees of a survey (%(default)g)")
    parser.add_argument("--surveys", type=int, default=1)
    parser.add_argument("--blank", type=int, default=40, help="number of blank surveys (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    surveys = [one_survey(seed, args.area, args.jobs) for seed in range(args.surveys)]
    total = {key: sum(each[key] for each in surveys) for key in ("n_candidates", "n_true", "n_at_purity", "n_listed")}
    expected, true = (sum(each[key] for each in surveys) for key in ("expected_true", "found_true"))
    mass = {radius: sum(each["aperture_mass"][radius] for each in surveys) for radius in surveys[0]["aperture_mass"]}
    pulls = np.concatenate([each["within_error"] for each in surveys])
    record = total | {"aperture_mass": mass, "seconds": [each["seconds"] for each in surveys]}
    record |= {"purity_expected": expected / max(total["n_listed"], 1), "purity": true / max(total["n_listed"], 1)}
    record |= {"within_position_error": float(np.mean(pulls < 1.0)) if pulls.size else None}
    chances = [blank_chance(1000 + seed) for seed in range(args.blank)]
    record |= {"blank_ks_p": float(kstest(chances, "uniform").pvalue) if chances else None}
    print_table(("quantity", "value"), [(key, str(value)) for key, value in record.items()])
    write_record("survey_candidates", record | {"area": args.area, "n_surveys": args.surveys})


if __name__ == "__main__":
    main()
