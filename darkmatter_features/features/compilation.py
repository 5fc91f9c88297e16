"""Compilation of the kernels that measure skies, by two processes beside each other, before the first sky."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.detection import Detection, detect
from darkmatter_features.galaxies.kernels.footprints import split_segments
from darkmatter_features.galaxies.kernels.records import SegmentIndices
from darkmatter_features.galaxies.segmentation import Segments, find_segments, split
from darkmatter_features.galaxies.shapes import measure_shapes
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.lensed_galaxies import LabelledSkies, LensedGalaxies
from darkmatter_features.lens.prepared import prepare
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.numerics.jit import is_cached

SIDE = 64
"""Rows and columns of the image that is measured for the sake of the compilation."""


def preparation(files: Sequence[Path]) -> dict[str, Any]:
    """Return the arguments of :func:`~darkmatter_features.workers.parallel` by which kernels are compiled once.

    Parameters
    ----------
    files : sequence of Path
        Images. The first one is read.

    Returns
    -------
    dict
        Empty where the machine code is on disk. For images of three bands and 8 bits, two processes compile half of the
        kernels each; others may need other kernels, and the first task compiles them.
    """
    if is_cached(split_segments):
        return {}
    try:
        pixels = read_sky(files[0]).pixels
    except Exception:  # its row will state the reason
        return {"first_here": True}
    is_common = pixels.dtype == np.uint8 and pixels.shape[2] == 3
    return {"before": (compile_splitting, compile_others)} if is_common else {"first_here": True}


def compile_splitting() -> None:
    """Compile the kernels that split segments into galaxies."""
    sky, config = _small_sky(), MeasureConfig()
    image = np.zeros((SIDE + 2) ** 2, dtype=np.uint8)
    indices = np.arange(SIDE + 4, SIDE + 16, dtype=np.int32)
    detection = Detection(image, indices, 4.0, 2.0, bands=sky.pixels, background=np.zeros(3), noise=0.3)
    split(sky, detection, SegmentIndices(indices, np.array([0, indices.size])), config)


def compile_others() -> None:
    """Compile all other kernels on the way from an image without noise to its feature row."""
    sky, config = _small_sky(), MeasureConfig()
    detection = detect(sky, config)
    indices, starts = find_segments(detection, SIDE, config)
    rows, columns = np.divmod(indices, SIDE + 2)
    pixels = (rows - 1) * np.int64(SIDE) + columns - 1
    blended = np.zeros(starts.size - 1, dtype=np.bool_)
    segments = Segments(sky, starts, pixels, np.ones(pixels.size), blended, detection.threshold, detection.noise, True)
    catalog, template = measure_shapes(segments, config), LensTemplate.default()
    template = replace(template, log_counts=np.full_like(template.log_counts, 0.1))  # like a fitted one
    galaxies = prepare(catalog, template)
    feature_row(galaxies, shear_maps(galaxies, config=config), lens_evidence(galaxies))
    lensed = LensedGalaxies.of(LabelledSkies([catalog], np.ones(1), np.zeros(1), np.zeros(1)), template)
    lensed.log_ratios(template, np.zeros(len(catalog)))


def _small_sky() -> Sky:
    """Return an image of nine galaxies and a hot pixel."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[2, 2] = 250
    for row in (8, 28, 48):
        for column in (6, 26, 46):
            pixels[row : row + 6, column : column + 8] = 200
            pixels[row + 6, column : column + 5] = 100
    return Sky("compilation", pixels)
