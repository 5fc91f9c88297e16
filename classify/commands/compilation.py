"""What is said while the kernels are compiled: once, at their first use; Numba keeps the machine code on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from darkmatter_features.galaxies.kernels.footprints import split_segments
from darkmatter_features.lens.kernels.evidence import lens_likelihood
from darkmatter_features.numerics.jit import is_cached
from darkmatter_features.numerics.kernels.profiles import profile_likelihood


@dataclass(frozen=True)
class Compilation:
    """The kernels of one kind of work: the one that is compiled last or takes longest, and the time of all, seconds."""

    slowest: Callable[..., Any]
    seconds: int

    def notice(self) -> str | None:
        """Return a line to say before the work, or None where the machine code is there already."""
        return None if is_cached(self.slowest) else f"compiling the kernels (once, about {self.seconds} s)…"


# Measured on one core of an AMD EPYC, from an empty cache: 29.2 s, of which splitting blends takes 27; 2.7 s; and 6.8 s
# of mapping skies from their catalogues, of which the likelihood of a lens takes the most.
MEASURING = Compilation(split_segments, seconds=30)
LOCATING = Compilation(profile_likelihood, seconds=3)
MAPPING = Compilation(lens_likelihood, seconds=7)
