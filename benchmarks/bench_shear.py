"""Bias of the shear that is measured on simulated images with noise, beside GalSim's HSM.

    python benchmarks/bench_shear.py [--scenes 40 --cells 16 --cases a,b --jobs -1]

Each scene is drawn four times: with shears of opposite sign, and with all galaxies turned by 90 degrees, so that shape
noise cancels; noise is turned with the galaxies. The multiplicative bias m is that along the shear, the additive bias c
what remains in the mean of all four, and the leakage is c along the PSF's ellipticity, over that ellipticity. Detection
and weights are part of the measurement: the estimate is ``sum(w e) / sum(w response)`` over all sources found. Errors
are by jackknife over scenes. AnaCal is measured too where it is installed.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import galsim
import numpy as np
from harness.report import print_table, write_record
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shear.galaxies import CELL
from shear.scenes import Scene, noise_of, scene

from darkmatter_features.galaxies.noisy.noise import noise_correlation
from darkmatter_features.galaxies.noisy.sources import measure_sources

Array = NDArray[np.float64]

SEED = 81_000
"""Seed of the first scene: no choice was made on these."""

SHEAR = complex(0.016, -0.012)
"""Shear of the scenes, and its opposite."""

STAR_RADIUS = 2.0
"""Distance from a true star within which a source is that star, pixels: the catalogue leaves stars out."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "isolated": ("isolated", {}),
    "isolated, S/N 10-20": ("isolated", {"snr": (10.0, 20.0)}),
    "isolated, S/N 40-100": ("isolated", {"snr": (40.0, 100.0)}),
    "isolated, aberrated PSF": ("isolated", {"psf": "aberrated"}),
    "isolated, correlated noise": ("isolated", {"noise": "correlated"}),
    "isolated, PSF varies": ("isolated", {"psf_varies": True}),
    "isolated, turned and flipped": ("isolated", {"n_turns": 1, "flipped": True}),
    "blended": ("groups", {}),
    "blended, with stars": ("groups", {"star_density": 2.0}),
}
"""Kind of scene and conditions of each case."""


def own_estimate(drawn: Scene, image: Array) -> tuple[complex, float, int, float]:
    """Return the sums of weighted ellipticities and responses, the number of sources and the time."""
    noise = np.full(image.shape, drawn.noise_sigma, dtype=np.float32)
    correlation = None
    if drawn.conditions.noise != "white":
        blank = noise_of(drawn, 1)  # the noise of blank sky, of another seed
        correlation = noise_correlation(blank, noise, np.ones(image.shape, dtype=np.bool_))
    start = time.perf_counter()
    sources = measure_sources(
        image.astype(np.float32), noise, None, normalised(drawn.psf), psf_sigma(drawn), correlation,
        is_variable=drawn.conditions.psf_varies,
    )  # fmt: skip
    elapsed = time.perf_counter() - start
    corrected = sources.e1 + 1j * sources.e2 - sources.noise_bias @ np.array([1.0, 1j])
    weight = np.where(is_star(drawn, sources.x, sources.y), 0.0, sources.weight)
    return complex((weight * corrected).sum()), float((weight * sources.response).sum()), len(sources), elapsed


def is_star(drawn: Scene, x: Array, y: Array) -> NDArray[np.bool_]:
    """Return which sources are true stars."""
    stars = drawn.truth[drawn.truth["is_star"]]
    if stars.empty:
        return np.zeros(x.size, dtype=np.bool_)
    distance, _ = cKDTree(stars[["x", "y"]].to_numpy()).query(np.column_stack([x, y]))
    return np.asarray(distance < STAR_RADIUS)


def normalised(psf: Callable[[float, float], Array]) -> Callable[[float, float], Array]:
    """Return a PSF whose sum is 1."""

    def stamp(x: float, y: float) -> Array:
        values = psf(x, y)
        return values / values.sum()

    return stamp


def psf_sigma(drawn: Scene) -> float:
    """Return the standard deviation of the PSF at the centre of a scene, by adaptive moments."""
    middle = 0.5 * (drawn.conditions.side - 1)
    return float(galsim.hsm.FindAdaptiveMom(galsim.Image(drawn.psf(middle, middle), scale=1.0)).moments_sigma)


def psf_ellipticity(drawn: Scene) -> complex:
    """Return the ellipticity of the PSF at the centre of a scene."""
    middle = 0.5 * (drawn.conditions.side - 1)
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(drawn.psf(middle, middle), scale=1.0)).observed_shape
    return complex(found.g1, found.g2)


def hsm_estimate(drawn: Scene, image: Array) -> tuple[complex, float, int, float]:
    """Return the same of GalSim's REGAUSS at the true positions; galaxies that fail count only in the number."""
    start, total, response, n_failed, squares = time.perf_counter(), 0.0 + 0.0j, 0.0, 0, 0.0
    galaxies = drawn.truth[~drawn.truth["is_star"]]
    for x, y in zip(galaxies["x"], galaxies["y"], strict=True):
        row, column = round(y), round(x)
        half = CELL // 2 - 1
        if not (half <= row < image.shape[0] - half and half <= column < image.shape[1] - half):
            continue
        stamp = np.ascontiguousarray(image[row - half : row + half + 1, column - half : column + half + 1])
        found = galsim.hsm.EstimateShear(
            galsim.Image(stamp, scale=1.0), galsim.Image(drawn.psf(x, y), scale=1.0), sky_var=drawn.noise_sigma**2,
            strict=False,
        )  # fmt: skip
        e = complex(found.corrected_e1, found.corrected_e2)
        if found.error_message or not abs(e) < 1.0:
            n_failed += 1
            continue
        total += e
        squares += 0.5 * abs(e) ** 2
        response += 2.0
    return total, response - 2.0 * squares, n_failed, time.perf_counter() - start


ESTIMATES = {"this package": own_estimate, "HSM REGAUSS": hsm_estimate}


def measured(case: str, seed: int, n_cells: int) -> dict[str, Any]:
    """Return the sums of each estimator over the four images of a scene."""
    kind, conditions = CASES[case]
    sums: dict[str, Any] = {name: np.zeros(5, dtype=complex) for name in ESTIMATES}
    for rotated in (False, True):
        for sign in (1.0, -1.0):
            shear = sign * SHEAR
            drawn = scene(seed, kind, (shear.real, shear.imag), rotated, n_cells=n_cells, **conditions)
            image = drawn.image + noise_beside(drawn, seed + 500_000, rotated)
            for name, estimate in ESTIMATES.items():
                if kind == "groups" and name != "this package":
                    continue
                e, response, n, elapsed = estimate(drawn, image)
                truth = complex(*drawn.shear)
                sums[name] += [e * np.conj(truth) / abs(truth), e, response, n, elapsed]
    middle = psf_ellipticity(drawn)
    n_galaxies = 4 * int((~drawn.truth["is_star"]).sum())
    return {"sums": sums, "psf": middle, "n": n_galaxies}


def noise_beside(drawn: Scene, seed: int, rotated: bool) -> Array:
    """Return the noise of a scene, turned with its galaxies: about the centre of each cell."""
    noise = noise_of(drawn, seed)
    if not rotated:
        return noise
    n_cells = drawn.conditions.n_cells
    cells = noise.reshape(n_cells, CELL, n_cells, CELL)
    return np.rot90(cells, -1, axes=(1, 3)).reshape(noise.shape)


def biases(sums: NDArray[np.complex128], psf: complex) -> NDArray[np.float64]:
    """Return m, |c| along the PSF and across it, and the leakage, of sums (n_scenes, 5)."""
    total = sums.sum(axis=0)
    m = total[0].real / total[2].real / abs(SHEAR) - 1.0
    c = total[1] / total[2].real
    along = c * np.conj(psf) / abs(psf)
    return np.array([m, along.real, along.imag, along.real / abs(psf)])


def with_errors(sums: NDArray[np.complex128], psf: complex) -> dict[str, float]:
    """Return biases with their errors by jackknife over scenes."""
    value, n = biases(sums, psf), len(sums)
    left = np.array([biases(np.delete(sums, k, axis=0), psf) for k in range(n)])
    error = np.sqrt((n - 1) / n * np.square(left - left.mean(axis=0)).sum(axis=0))
    names = ("m", "c_along_psf", "c_across_psf", "leakage")
    found = {name: float(v) for name, v in zip(names, value, strict=True)}
    return found | {f"{name}_error": float(v) for name, v in zip(names, error, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the bias of the shear on simulated images with noise.")
    parser.add_argument("--scenes", type=int, default=40, help="scenes of a case, each drawn four times (%(default)s)")
    parser.add_argument("--cells", type=int, default=16, help="side of a scene in cells of 64 px (%(default)s)")
    parser.add_argument("--cases", help="names, separated by semicolons (all)")
    parser.add_argument("--first", type=int, default=SEED, help="seed of the first scene (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    wanted = options.cases.split(";") if options.cases else list(CASES)
    record: dict[str, Any] = {}
    for case in wanted:
        tasks = (delayed(measured)(case, options.first + k, options.cells) for k in range(options.scenes))
        scenes = Parallel(n_jobs=options.jobs)(tasks)
        psf, n_galaxies = np.mean([own["psf"] for own in scenes]), sum(own["n"] for own in scenes)
        rows = []
        for name in ESTIMATES:
            sums = np.array([own["sums"][name] for own in scenes])
            if not sums.any():
                continue
            found = with_errors(sums, complex(psf))
            found["ms_per_galaxy"] = 1e3 * float(sums[:, 4].real.sum()) / n_galaxies
            found["found_or_failed"] = float(sums[:, 3].real.sum()) / n_galaxies
            record.setdefault(case, {})[name] = found
            rows.append([
                f"{case}: {name}".ljust(46),
                *(f"{found[key]:+.4f} +-{found[key + '_error']:.4f}" for key in ("m", "c_along_psf", "leakage")),
                f"{found['ms_per_galaxy']:.3f}",
                f"{found['found_or_failed']:.3f}",
            ])  # fmt: skip
        print_table(["case".ljust(46), "m", "c along PSF", "leakage", "ms/galaxy", "found/failed"], rows)
    if not options.cases:
        write_record("shear", record)


if __name__ == "__main__":
    main()
