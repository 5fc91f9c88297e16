"""Level and noise of the background beside photutils and SEP: time, and errors of the level under galaxies.

    python benchmarks/bench_background.py [--box 32 --skies 5 --repeats 11 --seed 1]

Simulated skies of 512 x 512 px have white noise of standard deviation 1 and known light: galaxies with exponential
profiles and fluxes from a power law, a slope, and the halo of a bright galaxy or cluster. Both other packages use their
defaults, a 3 x 3 median filter and SExtractor's mode, but photutils keeps boxes with an eighth of their pixels. In the
second pass, pixels with more light of galaxies than a tenth of the noise are left out by all. Errors are those of the
level at pixels where galaxies have light above a tenth of the noise, in units of the noise, and of the noise at all
pixels. Times are medians of the processor time on one core, with one thread; each call gives level and noise at every
pixel. SEP is skipped where it is not installed.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from harness.environment import environment, pin_to_one_core
from harness.report import print_table, write_record
from harness.timing import interleaved
from photutils.background import Background2D

from darkmatter_features.galaxies.noisy.background import background_of
from darkmatter_features.galaxies.noisy.noise import noise_correlation, scaled_noise

SIDE = 512
TIMED_SIDES = (512, 2048)
N_GALAXIES = 800
FLUX = 20.0
"""Flux of the faintest galaxies, noise times pixels; the cumulative slope of the counts is 0.8."""

FAINTEST = 0.1
"""Light of galaxies that counts as such, in units of the noise."""

SKY = 100.0

Estimate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From an image and a mask to level and noise."""


class Scene(NamedTuple):
    """Light of the background and of galaxies, in units of the noise."""

    background: np.ndarray
    galaxies: np.ndarray


def estimates(box: int) -> dict[str, Estimate]:
    """Return the packages by name."""
    packages: dict[str, Estimate] = {"darkmatter": lambda image, mask: _ours(image, mask, box)}
    packages["photutils"] = lambda image, mask: _photutils(image, mask, box)
    if find_spec("sep") is not None:
        packages["sep"] = lambda image, mask: _sep(image, mask, box)
    return packages


def _ours(image: np.ndarray, mask: np.ndarray, box: int) -> tuple[np.ndarray, np.ndarray]:
    background = background_of(image, np.zeros_like(mask), box, mask if mask.any() else None)
    return background.level, background.noise


def _photutils(image: np.ndarray, mask: np.ndarray, box: int) -> tuple[np.ndarray, np.ndarray]:
    background = Background2D(image, box, mask=mask, exclude_percentile=87.5)
    return background.background, background.background_rms


def _sep(image: np.ndarray, mask: np.ndarray, box: int) -> tuple[np.ndarray, np.ndarray]:
    import sep

    background = sep.Background(image, mask=mask, bw=box, bh=box)
    return background.back(), background.rms()


def galaxies(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return the light of galaxies with exponential profiles of 1.5 to 4 px scale length."""
    image = np.zeros((SIDE, SIDE))
    y, x = np.indices(image.shape)
    for _ in range(n):
        scale, flux = rng.uniform(1.5, 4.0), min(FLUX * (1.0 + rng.pareto(0.8)), 1e3 * FLUX)
        x0, y0 = rng.uniform(0, SIDE, 2)
        part = np.s_[max(0, int(y0) - 48) : int(y0) + 49, max(0, int(x0) - 48) : int(x0) + 49]
        radius = np.hypot(x[part] - x0, y[part] - y0)
        image[part] += flux / (2.0 * np.pi * scale**2) * np.exp(-radius / scale)
    return image


def scenes(rng: np.random.Generator) -> dict[str, Scene]:
    """Return the kinds of skies."""
    y, x = np.indices((SIDE, SIDE))
    flat, light = np.full((SIDE, SIDE), SKY), galaxies(rng, N_GALAXIES)
    halo = 10.0 / (1.0 + ((x - 200) ** 2 + (y - 300) ** 2) / 60.0**2)
    return {
        "blank": Scene(flat, np.zeros_like(flat)),
        "galaxies": Scene(flat, light),
        "galaxies on a slope": Scene(flat + 0.02 * x + 0.01 * y, light),
        "halo": Scene(flat + halo, np.zeros_like(flat)),
        "galaxies on a halo": Scene(flat + halo, light),
    }


def errors(scene: Scene, estimate: Estimate, noise: np.ndarray, *, is_second: bool) -> np.ndarray:
    """Return bias, scatter and maximum of the level's error under galaxies, and the mean noise, for one sky."""
    has_light = scene.galaxies > FAINTEST
    mask = has_light if is_second else np.zeros_like(has_light)
    level, sigma = estimate((scene.background + scene.galaxies + noise).astype(np.float32), mask)
    error = (level - scene.background)[has_light if has_light.any() else ...]
    return np.array([error.mean(), error.std(), np.abs(error).max(), np.mean(sigma)])


def accuracy(
    packages: dict[str, Estimate], n_skies: int, rng: np.random.Generator
) -> dict[str, dict[str, list[float]]]:
    """Return the mean errors of each package in each kind of sky, first and second pass."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for _ in range(n_skies):
        kinds, noise = scenes(rng), rng.normal(size=(SIDE, SIDE))
        for kind, scene in kinds.items():
            for is_second in (False, True) if scene.galaxies.any() else (False,):
                name = kind + (", second pass" if is_second else "")
                for package, estimate in packages.items():
                    rows = found.setdefault(name, {}).setdefault(package, [])
                    rows.append(errors(scene, estimate, noise, is_second=is_second))
    return {name: {key: np.mean(rows, axis=0).tolist() for key, rows in of.items()} for name, of in found.items()}


def times(packages: dict[str, Estimate], repeats: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return milliseconds by side of the image and package, and those of the noise's scale and correlation."""
    table = {}
    for side in TIMED_SIDES:
        image = rng.normal(SKY, 1.0, (side, side)).astype(np.float32)
        image += np.tile(galaxies(rng, N_GALAXIES).astype(np.float32), (side // SIDE, side // SIDE))
        none, unit, light = np.zeros(image.shape, dtype=bool), np.ones_like(image), image - np.float32(SKY)
        work = {name: lambda e=estimate, i=image, m=none: e(i, m) for name, estimate in packages.items()}
        work["scaled_noise"] = lambda i=light, u=unit, m=none: scaled_noise(i, u, m)
        work["noise_correlation"] = lambda i=light, u=unit, m=~none: noise_correlation(i, u, m)
        table[str(side)] = interleaved(work, repeats=repeats)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--box", type=int, default=32, help="side of the boxes, pixels (%(default)s)")
    parser.add_argument("--skies", type=int, default=5, help="skies of each kind (%(default)s)")
    parser.add_argument("--repeats", type=int, default=11, help="rounds (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    pin_to_one_core()
    packages, rng = estimates(args.box), np.random.default_rng(args.seed)
    found, ms = accuracy(packages, args.skies, rng), times(packages, args.repeats, rng)

    print(environment())
    print(f"level under galaxies, bias +- scatter (maximum), and noise, in units of the noise; boxes of {args.box} px")
    print_table(
        ("", *(f"{name}: {part}" for name in packages for part in ("level", "noise"))),
        [
            (kind, *(cell for name in packages for cell in _cells(of[name])))
            for kind, of in found.items()
        ],
    )  # fmt: skip
    print("time, ms")
    print_table(
        ("side, px", *ms[str(TIMED_SIDES[0])]),
        [(side, *(f"{value:.1f}" for value in row.values())) for side, row in ms.items()],
    )
    columns = ("bias", "scatter", "maximum", "noise")
    record = {"box": args.box, "n_skies": args.skies, "milliseconds": ms, "columns": columns, "errors": found}
    print(write_record("background", record))


def _cells(row: list[float]) -> tuple[str, str]:
    bias, scatter, largest, noise = row
    return f"{bias:+.3f} +- {scatter:.3f} ({largest:.2f})", f"{noise:.3f}"


if __name__ == "__main__":
    main()
