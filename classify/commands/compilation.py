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


# Processor time on one core of an AMD EPYC with an empty cache: 12 to 15 s for the measurement (half of it for the
# division of segments), 14 to 16 s for that of an image with noise, 2 s for the location, 0.9 s for the search of a
# survey, and 4 s for maps from catalogues.
MEASURING = Compilation(split_segments, seconds=15)
MEASURING_NOISE = Compilation(measure_peaks, seconds=15)
LOCATING = Compilation(profile_likelihood, seconds=2)
SEARCHING = Compilation(log_mean_likelihood_ratio, seconds=1)
MAPPING = Compilation(lens_likelihood, seconds=4)
