"""Time of a sky with noise from the file to the feature row, by stage, on one core, beside SEP and GalSim.

    python benchmarks/bench_measure.py [--skies 3 --repeats 15 --data DIR]

Each round runs all sides in turn in one process on one core; times are medians over rounds of the processor time, and
means over skies of the survey preset. SEP and GalSim get the decoded image: background, detection and deblending by
SEP, and shapes corrected for the PSF, which is given to them, by GalSim's HSM (re-Gaussianisation) on stamps.
"""

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness.environment import environment, pin_to_one_core
from harness.report import print_table, write_record
from harness.timing import interleaved

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.galaxies.noisy.catalog import DELTA, FIRST_SIGMA, measure_image, psf_width
from darkmatter_features.galaxies.noisy.exposure import expose
from darkmatter_features.galaxies.noisy.sources import measure_sources
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import read_sky
from darkmatter_features.simulation import simulate_dataset

HALF_SIDE = 20
"""Half-side of the stamps for GalSim, pixels."""

THRESHOLD = 1.5
"""Threshold of SEP, standard deviations of a pixel."""


def stages_of(path: Path) -> dict[str, Callable[[], Any]]:
    """Return the work of each stage, given the results of those before it."""
    sky, config = read_sky(path), MeasureConfig()
    exposure, found = expose(sky, config), measure_image(sky).psf.model
    image = exposure.light, exposure.noise, exposure.mask
    width = psf_width(found, sky.shape)
    return {
        "read": lambda: read_sky(path),
        "background, noise, defects": lambda: expose(sky, config),
        "first detection": lambda: measure_sources(
            *image, lambda x, y: DELTA, FIRST_SIGMA, exposure.correlation, with_shapes=False
        ),
        "sources and shapes": lambda: measure_sources(
            *image, found.stamp, width, exposure.correlation, is_variable=not found.is_constant
        ),
        "catalogue, with the stages above and the PSF": lambda: measure_image(sky, config),
        "file to row": lambda: extract_sky(read_sky(path)),
    }


def sep_and_galsim(path: Path) -> dict[str, Callable[[], Any]]:
    """Return the work of SEP alone, and of SEP and GalSim, where they are installed."""
    if not (find_spec("sep") and find_spec("galsim")):
        return {}
    sky = read_sky(path)
    image = sky.pixels[..., 0].copy()  # SEP takes no read-only memory
    psf = measure_image(sky).psf.model.stamp(0.5 * (sky.shape[1] - 1), 0.5 * (sky.shape[0] - 1))
    return {"SEP": lambda: _detected(image), "SEP + GalSim HSM": lambda: _sheared(*_detected(image), psf)}


def _detected(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the image less its background, the sources of SEP, and the noise of a pixel."""
    import sep

    background = sep.Background(image)
    light = image - background.back()
    return light, sep.extract(light, THRESHOLD, err=background.globalrms, minarea=5), background.globalrms


def _sheared(light: np.ndarray, found: np.ndarray, noise: float, psf: np.ndarray) -> list[Any]:
    """Return the shapes of sources, corrected for the PSF, by GalSim."""
    from galsim import Image
    from galsim.hsm import EstimateShear

    psf_image, shapes = Image(psf.astype(np.float32)), []
    for x, y in zip(np.rint(found["x"]).astype(int), np.rint(found["y"]).astype(int), strict=True):
        top, left = max(y - HALF_SIDE, 0), max(x - HALF_SIDE, 0)
        stamp = np.ascontiguousarray(light[top : y + HALF_SIDE + 1, left : x + HALF_SIDE + 1])
        shapes.append(EstimateShear(Image(stamp), psf_image, sky_var=noise**2, strict=False))
    return shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=3, help="skies to time (%(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (%(default)s)")
    parser.add_argument("--data", type=Path, help="data set of survey skies (simulated when not given)")
    args = parser.parse_args()
    pin_to_one_core()
    print(environment())
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder)
        if args.data is None:
            simulate_dataset(data, n_training=args.skies, n_validation=1, preset="survey", n_jobs=1)
        split = Dataset.open(data).splits[0]
        works = [{**stages_of(path), **sep_and_galsim(path)} for path in split.files[: args.skies]]
        times = [interleaved(work, repeats=args.repeats) for work in works]
    mean = {name: float(np.mean([each[name] for each in times])) for name in times[0]}
    print_table(("stage", "ms"), [(name, f"{ms:.1f}") for name, ms in mean.items()])
    print(write_record("measure", {"milliseconds": mean}))


if __name__ == "__main__":
    main()
