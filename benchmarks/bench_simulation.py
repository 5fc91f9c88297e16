"""Figures of simulated skies beside the published ones, with errors and pulls.

    python benchmarks/bench_simulation.py [--skies 300 --seed 7 --jobs -1 --json out.json]

Images are measured in the simple way in which the published ones were: a threshold of 20/255 on the brightest channel,
connected segments of 8 px or more, flux-weighted moments, no deblending, the mean ellipticity subtracted, radii about
the true centre of the lens. None of the measuring code of the project is used.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from darkmatter_features.simulation import simulate_dataset

Array = NDArray[np.float64]

THRESHOLD = 20
"""Detection threshold on the brightest channel, 8-bit counts."""

MIN_PIXELS = 8
"""Minimum number of pixels of a segment."""

SHAPE = (512, 512)
"""Rows and columns of an image, pixels."""

# Measured on the published skies of the original data set (18 skies, 12 with a lens).
RADII = np.array([14, 30, 60, 90, 130, 180, 250, 350, 500], dtype=float)
GAMMA_T = (0.475, 0.385, 0.227, 0.184, 0.141, 0.094, 0.005, 0.011)
GAMMA_T_ERROR = (0.042, 0.044, 0.027, 0.020, 0.017, 0.014, 0.013, 0.011)
COUNTS = (0.35, 0.67, 0.99, 1.10, 1.04, 1.08, 0.92, 1.02)
COUNTS_ERROR = (0.17, 0.13, 0.13, 0.10, 0.08, 0.07, 0.05, 0.06)
# Middle and half width of a range.
SEGMENTS = (165.0, 20.0)
SCATTER = (0.22, 0.01)
MEAN_E1 = (0.075, 0.005)
MEAN_E2 = (0.0, 0.005)
# Measured on the two full skies. Errors are half their difference, 5 % at least: two values give no standard error.
FOREGROUND_20 = (0.0634, 0.004)
FOREGROUND_0 = (0.107, 0.007)
AREAS = dict(zip((5, 25, 50, 75, 95), ((15, 2.5), (35, 4), (78, 6), (140, 13), (300, 40))))
PEAKS = dict(zip((5, 25, 50, 75, 95), ((95, 8), (137, 7), (168, 7), (198, 9), (230, 8))))


def segments(pixels: NDArray[np.uint8]) -> dict[str, Array]:
    """Return positions, ellipticities, areas and peaks of the connected segments of an image."""
    bright = pixels.max(axis=2)
    labels, n = ndimage.label(bright > THRESHOLD)
    y, x = np.nonzero(labels)
    owner, flux = labels[y, x] - 1, bright[y, x].astype(float)

    def mean(q: Array) -> Array:
        return np.bincount(owner, flux * q, n) / np.bincount(owner, flux, n)

    cx, cy = mean(x), mean(y)
    dx, dy = x - cx[owner], y - cy[owner]
    xx, yy, xy = mean(dx * dx), mean(dy * dy), mean(dx * dy)
    size = xx + yy + 2.0 * np.sqrt(np.maximum(xx * yy - xy**2, 0.0))
    area = np.bincount(owner, minlength=n)
    peak = ndimage.maximum(bright, labels, np.arange(1, n + 1)).astype(float)
    keep = (area >= MIN_PIXELS) & (size > 0.0)
    table = {"x": cx, "y": cy, "e1": xx - yy, "e2": 2.0 * xy, "area": area, "peak": peak, "size": size}
    kept = {name: column[keep] for name, column in table.items()}
    kept["e1"], kept["e2"] = kept["e1"] / kept["size"], kept["e2"] / kept["size"]
    return kept


def annulus_fractions(x: float, y: float, shape: tuple[int, int]) -> Array:
    """Return the fraction of the image in each annulus about a point."""
    rows, columns = np.indices(shape)
    counts, _ = np.histogram(np.hypot(columns - x, rows - y), RADII)
    return counts / (shape[0] * shape[1])


def profiles(skies: list[dict[str, Array]], lenses: Array, mean_e: tuple[float, float]) -> dict[str, Array]:
    """Return tangential and cross ellipticity, and counts over those of an even density, by radius about the lenses."""
    sums = np.zeros((5, len(RADII) - 1))
    for sky, (row, column) in zip(skies, lenses):
        dx, dy = sky["x"] - column, sky["y"] - row
        r, phi = np.hypot(dx, dy), np.arctan2(dy, dx)
        e1, e2 = sky["e1"] - mean_e[0], sky["e2"] - mean_e[1]
        gamma_t = -(e1 * np.cos(2 * phi) + e2 * np.sin(2 * phi))
        gamma_x = e1 * np.sin(2 * phi) - e2 * np.cos(2 * phi)
        for total, weights in zip(sums, (np.ones_like(r), gamma_t, gamma_x, gamma_x**2)):
            total += np.histogram(r, RADII, weights=weights)[0]
        sums[4] += len(r) * annulus_fractions(column, row, SHAPE)
    n = np.maximum(sums[0], 1.0)
    error = np.sqrt(sums[3] / n / n)
    return {"gamma_t": sums[1] / n, "gamma_x": sums[2] / n, "error": error, "counts": sums[0] / sums[4]}


def figures(
    skies: list[dict[str, Array]], foreground: Array, lenses: Array
) -> Iterable[tuple[str, float, float, float]]:
    """Yield the name, published value, its error and the simulated value of each figure."""
    everything = {name: np.concatenate([sky[name] for sky in skies]) for name in skies[0]}
    is_lensed = np.isfinite(lenses[:, 0])
    unlensed = {name: np.concatenate([s[name] for s, has in zip(skies, is_lensed) if not has]) for name in everything}
    yield "segments per sky", *SEGMENTS, float(np.mean([len(sky["x"]) for sky in skies]))
    yield (
        "segments per sky, lensed",
        *SEGMENTS,
        float(np.mean([len(s["x"]) for s, has in zip(skies, is_lensed) if has])),
    )
    yield "mean e1", *MEAN_E1, everything["e1"].mean()
    yield "mean e1, no lens", *MEAN_E1, unlensed["e1"].mean()
    yield "mean e2", *MEAN_E2, everything["e2"].mean()
    yield "scatter per component", *SCATTER, float(np.sqrt(0.5 * (everything["e1"].var() + everything["e2"].var())))
    yield "scatter, no lens", *SCATTER, float(np.sqrt(0.5 * (unlensed["e1"].var() + unlensed["e2"].var())))
    yield "pixels above 20", *FOREGROUND_20, foreground[:, 0].mean()
    yield "pixels above 0", *FOREGROUND_0, foreground[:, 1].mean()
    for name, quantiles in (("area", AREAS), ("peak", PEAKS)):
        for percent, (value, error) in quantiles.items():
            yield f"{name}, {percent} %", value, error, float(np.percentile(everything[name], percent))
    with_lens = [sky for sky, has in zip(skies, is_lensed) if has]
    found = profiles(with_lens, lenses[is_lensed], (everything["e1"].mean(), everything["e2"].mean()))
    annuli = [f"{inner:.0f}-{outer:.0f} px" for inner, outer in pairwise(RADII)]
    for k, annulus in enumerate(annuli):
        yield f"gamma_t {annulus}", GAMMA_T[k], GAMMA_T_ERROR[k], found["gamma_t"][k]
    for k, annulus in enumerate(annuli):
        yield f"counts {annulus}", COUNTS[k], COUNTS_ERROR[k], found["counts"][k]
    for k, annulus in enumerate(annuli):
        yield f"gamma_x {annulus}", 0.0, found["error"][k], found["gamma_x"][k]


def read_skies(root: Path, n: int) -> tuple[list[dict[str, Array]], Array, Array]:
    """Return the segments of each training sky, its fractions of foreground pixels, and the positions of the lenses."""
    truth = np.genfromtxt(root / "truth" / "skies.csv", delimiter=",", skip_header=1)[:n, 1:3]
    images = [np.asarray(Image.open(path)) for path in sorted((root / "training").iterdir())]
    foreground = np.array([[(image.max(axis=2) > level).mean() for level in (THRESHOLD, 0)] for image in images])
    return [segments(image) for image in images], foreground, truth


def measure(n_skies: int, seed: int, n_jobs: int) -> dict[str, dict[str, float]]:
    """Simulate and measure skies, and return each figure with its published value, error and pull."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        simulate_dataset(folder, n_training=n_skies, n_validation=0, seed=seed, n_jobs=n_jobs)
        speed = n_skies / (time.perf_counter() - start)
        found = figures(*read_skies(Path(folder), n_skies))
        table = {
            name: {"published": value, "error": error, "simulated": got, "pull": (got - value) / error}
            for name, value, error, got in found
        }
    table["skies per second"] = {"simulated": speed}
    return table


def print_figures(table: dict[str, dict[str, float]]) -> None:
    print(f"{'figure':<26}{'published':>11}{'error':>9}{'simulated':>11}{'pull':>7}")
    for name, row in table.items():
        if "pull" in row:
            print(f"{name:<26}{row['published']:11.3f}{row['error']:9.3f}{row['simulated']:11.3f}{row['pull']:7.1f}")
    print(f"{table['skies per second']['simulated']:.1f} skies per second")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare simulated skies with the published ones.")
    parser.add_argument("--skies", type=int, default=300, help="number of skies (%(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--json", type=Path, help="file to write the table to")
    options = parser.parse_args()
    table = measure(options.skies, options.seed, options.jobs)
    print_figures(table)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
