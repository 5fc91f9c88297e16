"""Sums about a grid of centres: the Fourier mesh of the project beside a non-uniform FFT, FINUFFT.

    python benchmarks/bench_nufft.py [--galaxies 100000 --side 1024 --eps 1e-5 --repeats 5 --seed 1]

Both sum tangential shear and weights in the Gaussian windows of the maps that are wide enough for the mesh, for random
galaxies. They share the periodic grid, the kernels and the inverse FFT. They differ in the transform of the galaxies:
`Mesh.transform` spreads them by B-splines of degree 7 and transforms the mesh; FINUFFT computes the same Fourier modes
by a type-1 transform of relative tolerance EPS (Barnett, Magland & af Klinteberg 2019). Times are medians of the
processor time on one core, with one thread. Errors are the maximum difference to direct sums at random centres, over
the maximum of the direct sums. The part of the shear that is summed galaxy by galaxy near each centre is the same for
both, and left out.

References
----------
Barnett, Magland & af Klinteberg 2019, SIAM J. Sci. Comput. 41, C479, arXiv:1808.06736
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from harness.environment import environment, package_version, pin_to_one_core
from harness.inputs import random_catalog
from harness.report import print_table, write_record
from harness.timing import interleaved

from darkmatter_features.config import MeasureConfig
from darkmatter_features.numerics.mesh import Mesh, mesh_over

FINUFFT = "finufft"
N_SCALES = 6
"""Number of scales of the maps; each is sqrt(2) times the one before."""

MIN_WIDTH = 2.5
"""Minimum width of a window that is summed on the mesh, mesh steps."""

WINDOW_RADIUS = 7.0
"""Radius at which a window ends, scales; its value there is 2e-11."""

N_CHECKED = 200
"""Number of centres at which sums are compared with direct sums."""

Transform = Callable[[np.ndarray], np.ndarray]
"""From complex weights of the galaxies to the transform that is multiplied with those of the kernels."""


def spline_transform(mesh: Mesh, x: np.ndarray, y: np.ndarray) -> Transform:
    """Return the transform of the project's mesh."""
    return lambda weight: mesh.transform(x, y, weight.real.copy(), weight.imag.copy())


def nufft_transform(mesh: Mesh, x: np.ndarray, y: np.ndarray, eps: float) -> Transform:
    """Return the type-1 non-uniform FFT to the modes of the same mesh, in the order of `numpy.fft`."""
    import finufft

    n_rows, n_columns = mesh.shape
    across, up = mesh.steps
    phase_y = 2.0 * np.pi * (y - mesh.rows[0]) / (up * n_rows)
    phase_x = 2.0 * np.pi * (x - mesh.columns[0]) / (across * n_columns)
    options = {"eps": eps, "isign": -1, "modeord": 1, "nthreads": 1}
    return lambda weight: finufft.nufft2d1(phase_y, phase_x, weight, mesh.shape, **options)


def window_sums(mesh: Mesh, scales: np.ndarray, e: np.ndarray, transform: Transform) -> np.ndarray:
    """Return the sums of shear (complex) and of weights in each window, (2, n_scales, n_rows, n_columns)."""
    shear, weight = transform(e), transform(np.ones_like(e))
    sums = np.empty((2, scales.size, mesh.rows.size, mesh.columns.size), dtype=np.complex128)
    for k, scale in enumerate(scales):
        window = np.exp(-0.5 * mesh.squares / scale**2)
        sums[0, k] = mesh.sums(shear, mesh.kernel(mesh.nearness - window, spin=2))
        sums[1, k] = mesh.sums(weight, mesh.kernel(window))
    return sums


def direct_sums(mesh: Mesh, scales: np.ndarray, z: np.ndarray, e: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the same sums at some centres x + iy, galaxy by galaxy, (2, n_scales, n_centres)."""
    sums = np.empty((2, scales.size, centres.size), dtype=np.complex128)
    for i, centre in enumerate(centres):
        offset = z - centre
        squares = np.abs(offset) ** 2
        u = 0.5 * squares / mesh.near.width**2
        turned = e * np.exp(-2j * np.angle(offset))
        for k, scale in enumerate(scales):
            window = np.exp(-0.5 * squares / scale**2)
            sums[0, k, i] = (((1.0 + u) * np.exp(-u) - window) * turned).sum()
            sums[1, k, i] = window.sum()
    return sums


def errors(sums: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Return the maximum difference of shears and of weights to the exact sums, over the maximum of these."""
    scatter = np.abs(sums - exact).max(axis=(1, 2)) / np.abs(exact).max(axis=(1, 2))
    return dict(zip(("shear", "weight"), scatter.tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=100_000, help="number of galaxies (%(default)s)")
    parser.add_argument("--side", type=int, default=1024, help="centres along a side (%(default)s)")
    parser.add_argument("--eps", type=float, default=1e-5, help="relative tolerance of FINUFFT (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if find_spec(FINUFFT) is None:
        print(f"skipped: {FINUFFT} is not installed; pip install {FINUFFT}")
        return
    pin_to_one_core()
    config, rng = MeasureConfig(), np.random.default_rng(args.seed)
    side = round((args.side - 1) * config.grid_spacing) + 1
    catalog = random_catalog(rng, n=args.galaxies, shape=(side, side), bias=0.0)
    axis = np.linspace(0.0, side - 1.0, args.side)
    scales = config.smallest_scale * np.sqrt(2.0) ** np.arange(N_SCALES)
    mesh = mesh_over(axis, axis, catalog.x, catalog.y, reach=WINDOW_RADIUS * scales[-1])
    scales = scales[scales >= MIN_WIDTH * max(mesh.steps)]
    order = mesh.neighbours(catalog.x, catalog.y)
    x, y, e = catalog.x[order], catalog.y[order], (catalog.e1 + 1j * catalog.e2)[order]
    transforms = {"mesh": spline_transform(mesh, x, y), FINUFFT: nufft_transform(mesh, x, y, args.eps)}

    work = {(name, "transform"): lambda t=transform: t(e) for name, transform in transforms.items()}
    work |= {
        (name, "all sums"): lambda t=transform: window_sums(mesh, scales, e, t)
        for name, transform in transforms.items()
    }
    ms = interleaved(work, repeats=args.repeats)
    i, j = rng.integers(0, args.side, (2, N_CHECKED))
    exact = direct_sums(mesh, scales, x + 1j * y, e, axis[j] + 1j * axis[i])
    error = {name: errors(window_sums(mesh, scales, e, t)[:, :, i, j], exact) for name, t in transforms.items()}

    print(environment())
    print(f"{args.galaxies:,} galaxies, {args.side} x {args.side} centres, {scales.size} windows, mesh {mesh.shape}")
    print_table(
        ("", "transform, ms", f"2 transforms, {2 * scales.size} kernels and sums, ms", "error, shear", "error, weight"),
        [
            (
                name,
                *(f"{ms[name, part]:.0f}" for part in ("transform", "all sums")),
                *(f"{value:.1e}" for value in error[name].values()),
            )
            for name in transforms
        ],
    )
    record = {
        "finufft": package_version(FINUFFT),
        "n_galaxies": args.galaxies,
        "n_centres_per_side": args.side,
        "n_windows": scales.size,
        "mesh_shape": mesh.shape,
        "eps": args.eps,
        "milliseconds": {name: {part: ms[name, part] for part in ("transform", "all sums")} for name in transforms},
        "error": error,
    }
    print(write_record("nufft", record))


if __name__ == "__main__":
    main()
