"""Notice of the compilation of kernels, which happens at their first use; Numba caches the machine code on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from darkmatter_features.galaxies.kernels.footprints import split_segments
from darkmatter_features.galaxies.noisy.kernels.peak_shapes import measure_peaks
from darkmatter_features.lens.kernels.evidence import lens_likelihood
from darkmatter_features.numerics.jit import is_cached
from darkmatter_features.numerics.kernels.profiles import log_mean_likelihood_ratio, profile_likelihood


@dataclass(frozen=True)
class Compilation:
    """Compilation of the kernels of a stage.

    Attributes
    ----------
    slowest : callable
        Kernel that is compiled last or takes the longest time.
    seconds : int
        Total time of all kernels of the stage.
    """

    slowest: Callable[..., Any]
    seconds: int

    def notice(self) -> str | None:
        """Return a line to print before the work, or None if the machine code is cached."""
        return None if is_cached(self.slowest) else f"compiling the kernels (once, about {self.seconds} s)…"


# Measured on one core of an AMD EPYC with an empty cache: 29.2 s for the measurement (27 s of it for deblending), 2.7 s
# for the location, 0.9 s for the search of a survey, and 6.8 s for maps from catalogues, most of it for the likelihood
# of a lens.
MEASURING = Compilation(split_segments, seconds=30)
MEASURING_NOISE = Compilation(measure_peaks, seconds=25)
LOCATING = Compilation(profile_likelihood, seconds=3)
SEARCHING = Compilation(log_mean_likelihood_ratio, seconds=1)
MAPPING = Compilation(lens_likelihood, seconds=7)
