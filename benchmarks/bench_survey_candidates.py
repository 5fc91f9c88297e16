"""`candidates` on simulated surveys with NFW halos of a mass function: completeness at a purity, calibration, time.

    python benchmarks/bench_survey_candidates.py [--area 25 --surveys 4 --blank 40 --jobs N]

Halos have the mass function of Tinker et al. (2008) and concentrations of Diemer & Joyce (2019), by colossus (extra
`bench`), at random positions; sources 30 per square arcmin with n(z) ~ z^2 exp(-(z / 0.5)^1.5), shape noise 0.26 per
component, and a twentieth of the area masked by discs. A candidate is true if a halo whose own S/N without noise is 2
or more lies within 2.5 arcmin, each halo once. The search runs without redshifts of the sources and with photometric
ones. Beside it stand peaks of the aperture mass of Schirmer et al. (2007) of several radii, the best one in hindsight.
Errors are those of a bootstrap of square degrees. Blank surveys of one square degree test the false-alarm
probabilities.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
PHOTO_Z = 0.05
"""Scatter of the photometric redshifts of sources over 1 + z."""
TILE, N_DRAWS = 60.0, 200
"""Side of the tiles of the bootstrap, arcmin, and number of its draws."""


class Listed(NamedTuple):
    """List of one method in one survey, best first: S/N, halo or -1, and tile of each."""

    snr: np.ndarray
    halo: np.ndarray
    tile: np.ndarray


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


def schirmer(z: np.ndarray, e: np.ndarray, halos: dict[str, np.ndarray]) -> dict[str, Listed]:
    """Return the peaks of the aperture mass by radius."""
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
        result[f"aperture mass {radius:g}"] = listed(peaks.x, peaks.y, peaks.snr, halos)
    return result


def listed(x: np.ndarray, y: np.ndarray, snr: np.ndarray, halos: dict[str, np.ndarray]) -> Listed:
    """Return a list in the order of S/N, with the halo of each."""
    order = np.argsort(-snr, kind="stable")
    halo = matched(x[order], y[order], halos)
    tile = np.floor(x[order] / TILE) * 1000 + np.floor(y[order] / TILE)
    return Listed(snr[order], halo, tile.astype(np.int64))


def one_survey(seed: int, args: argparse.Namespace) -> tuple[dict[str, Listed], dict[str, Any]]:
    """Return the lists of one survey, and the figures of `candidates` by the same names."""
    rng = np.random.default_rng(seed)
    z, e, redshift, halos = simulate(rng, args.area)
    photometric = np.maximum(redshift + PHOTO_Z * (1.0 + redshift) * rng.standard_normal(len(z)), 0.01)
    lists, figures = schirmer(z, e, halos), {}
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), z, e, photometric)
        for name, column in (("candidates", None), ("candidates with redshifts", "redshift")):
            start = time.perf_counter()
            search = SurveySearch(
                threshold=4.0, redshift=column, n_randomizations=args.randomizations, completeness=False
            )
            found = find_survey_candidates(path, search, n_jobs=args.jobs)
            x, y, snr = (np.array([getattr(each, key) for each in found]) for key in ("x", "y", "snr"))
            lists[name] = each = listed(x, y, snr, halos)
            distance = np.hypot(x - halos["x"][each.halo], y - halos["y"][each.halo])
            figures[name] = {
                "seconds": time.perf_counter() - start, "n": len(z), "structure": found.structure,
                "purity": np.array([one.expected_purity for one in found]),
                "pull": distance / np.array([one.position_error for one in found]),
                "halo_snr": np.where(each.halo >= 0, halos["snr"][each.halo], 0.0),
            }  # fmt: skip
            print(f"survey {seed}, {name}: {len(found)} in {figures[name]['seconds']:.0f} s", flush=True)
    return lists, figures


def written(folder: Path, z: np.ndarray, e: np.ndarray, redshift: np.ndarray) -> Path:
    """Write a plane survey and return its path."""
    columns = {"x": z.real, "y": z.imag, "e1": e.real, "e2": e.imag, "redshift": redshift}
    pq.write_table(pa.table(columns), folder / "survey.parquet")
    return folder / "survey.parquet"


def blank_chance(seed: int) -> float:
    """Return the false-alarm probability of the best candidate of a survey without a lens."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, 60, 108_000) + 1j * rng.uniform(0, 60, 108_000)
    e = np.minimum(SCATTER * rng.rayleigh(size=z.size), 0.95) * np.exp(2j * np.pi * rng.random(z.size))
    with tempfile.TemporaryDirectory() as folder:
        search = SurveySearch(threshold=3.0, completeness=False, seed=seed)
        found = find_survey_candidates(written(Path(folder), z, e, np.ones(len(z))), search, n_jobs=1)
    return min((each.false_alarm_probability for each in found), default=1.0)


def at_purity(lists: list[Listed]) -> int:
    """Return the number of true candidates at the purity of the lists of several surveys together."""
    snr, true = (np.concatenate(each) for each in zip(*((one.snr, one.halo >= 0) for one in lists)))
    return n_at_purity(true[np.argsort(-snr, kind="stable")])


def resampled(rng: np.random.Generator, lists: list[Listed], tiles: list[np.ndarray]) -> list[Listed]:
    """Return lists of the tiles that were drawn, each as often as it was."""
    result = []
    for one, drawn in zip(lists, tiles):
        index = np.concatenate([np.flatnonzero(one.tile == tile) for tile in drawn])
        result.append(Listed(*(each[index] for each in one)))
    return result


def completeness(surveys: list[dict[str, Listed]], side: float) -> dict[str, dict[str, float]]:
    """Return the true candidates at the purity by method, and their ratio to the best aperture mass, with errors."""
    names, rng = list(surveys[0]), np.random.default_rng(0)
    counts = {name: at_purity([each[name] for each in surveys]) for name in names}
    best = max((name for name in names if name.startswith("aperture")), key=lambda name: counts[name])
    steps = range(int(np.ceil(60.0 * side / TILE)))
    tiles = np.array([i * 1000 + k for i in steps for k in steps])
    draws: dict[str, list[int]] = {name: [] for name in names}
    for _ in range(N_DRAWS):
        drawn = [rng.choice(tiles, tiles.size) for _ in surveys]
        for name in names:
            draws[name].append(at_purity(resampled(rng, [each[name] for each in surveys], drawn)))
    result = {}
    for name in names:
        ratio = np.array(draws[name]) / np.maximum(draws[best], 1)
        result[name] = {
            "n": counts[name],
            "error": float(np.std(draws[name])),
            "over_best": counts[name] / counts[best],
        }
        result[name] |= {
            "over_best_low": float(np.quantile(ratio, 0.16)),
            "over_best_high": float(np.quantile(ratio, 0.84)),
        }
    return result


def calibration(surveys: list[dict[str, Listed]], figures: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Return the expected purity and that found, and the fraction of true halos within the position error."""
    snr = np.concatenate([each[name].snr for each in surveys])
    true = np.concatenate([each[name].halo >= 0 for each in surveys])
    purity, pull, halo = (
        np.concatenate([each[name][key] for each in figures]) for key in ("purity", "pull", "halo_snr")
    )
    result: dict[str, float] = {}
    for least in (4.0, 4.5, 5.0):
        n = (snr >= least).sum()
        found = true[snr >= least].mean()
        result |= {f"n_{least:g}": int(n), f"purity_{least:g}": float(found)}
        result |= {f"purity_error_{least:g}": float(np.sqrt(found * (1.0 - found) / n))}
        result |= {f"purity_expected_{least:g}": float(purity[snr >= least].mean())}
    for label, chosen in (("all", true), ("halo_snr_4", halo >= 4.0)):
        within = float((pull[chosen] < 1.0).mean())
        result |= {f"within_error_{label}": within, f"within_error_{label}_n": int(chosen.sum())}
    return result | {"structure": float(np.mean([each[name]["structure"] for each in figures]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", type=float, default=25.0, help="square degrees of a survey (%(default)g)")
    parser.add_argument("--surveys", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--randomizations", type=int, default=40)
    parser.add_argument("--blank", type=int, default=40, help="number of blank surveys (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    done = [one_survey(args.first_seed + k, args) for k in range(args.surveys)]
    lists, figures = [each for each, _ in done], [each for _, each in done]
    found = completeness(lists, np.sqrt(args.area))
    columns = ("n", "error", "over_best", "over_best_low", "over_best_high")
    print_table(("method", *columns), [(name, *(f"{row[key]:.3g}" for key in columns)) for name, row in found.items()])
    record: dict[str, Any] = {"area": args.area, "n_surveys": args.surveys, "at_purity": found}
    for name in ("candidates", "candidates with redshifts"):
        record[name] = calibration(lists, figures, name) | {"seconds": [each[name]["seconds"] for each in figures]}
        print_table((name, "value"), [(key, str(value)) for key, value in record[name].items()])
    chances = [blank_chance(1000 + seed) for seed in range(args.blank)]
    record |= {"blank_ks_p": float(kstest(chances, "uniform").pvalue) if chances else None}
    print_table(("blank surveys", "value"), [("n", str(args.blank)), ("KS p", str(record["blank_ks_p"]))])
    write_record("survey_candidates", record)


if __name__ == "__main__":
    main()
