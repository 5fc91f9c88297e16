"""Kinds of defects of an image, and the pixels of each."""

from dataclasses import dataclass
from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Kinds = NDArray[np.uint16]


class Defect(IntFlag):
    """Kinds of defects, bits of a mask."""

    SATURATED = 1
    """Cores of stars whose light is clipped."""
    BLEED = 2
    """Columns or rows along which the charge of such a star runs over."""
    HALO = 4
    """Light about such a star, above the noise."""
    SPIKE = 8
    """Diffraction spikes of a bright star."""
    TRACK = 16
    """Straight lines across the image: satellites, aeroplanes, meteors."""
    COSMIC_RAY = 32
    """Pixels sharper than the PSF; their values are interpolated."""
    CAPTION = 64
    """Letters, logos, scale bars, arrows, and circles or contours drawn on an image."""
    FRAME = 128
    """Borders without data, or drawn, and what is in them."""
    GHOST = 256
    """Edges of the discs and rings of light that a bright star makes by reflections in the optics."""


UNUSABLE = Defect(0x1FF) & ~Defect.COSMIC_RAY
"""Kinds whose pixels have no usable measurement."""

N_VALUES = 512
"""Number of sums of kinds."""

NAMES = {
    Defect.SATURATED: ("saturated star", "saturated stars"),
    Defect.BLEED: ("bleeding column", "bleeding columns"),
    Defect.SPIKE: ("star with spikes", "stars with spikes"),
    Defect.GHOST: ("ghost of a star", "ghosts of stars"),
    Defect.TRACK: ("track", "tracks"),
    Defect.COSMIC_RAY: ("cosmic ray", "cosmic rays"),
    Defect.CAPTION: ("caption", "captions"),
    Defect.FRAME: ("frame", "frames"),
}
"""Singular and plural of the kinds in a line for the user."""


class Count(NamedTuple):
    """Number of pixels and of objects of a kind of defect."""

    n_pixels: int
    n_objects: int


@dataclass(frozen=True)
class Defects:
    """Defects of an image.

    Attributes
    ----------
    kinds : (n_rows, n_columns) uint16 array
        Sum of the :class:`Defect` values of each pixel.
    n_objects : dict
        Number of objects by :class:`Defect`.
    """

    kinds: Kinds
    n_objects: dict[Defect, int]

    def __post_init__(self) -> None:
        self.kinds.flags.writeable = False

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Pixels without a usable measurement; those of cosmic rays are interpolated, (n_rows, n_columns)."""
        return np.asarray((self.kinds & np.uint16(UNUSABLE)) != 0)

    def counts(self) -> dict[Defect, Count]:
        """Return the numbers of pixels and of objects of each kind that occurs."""
        if not self.n_objects:
            return {}
        by_value = np.bincount(self.kinds.ravel(), minlength=N_VALUES)
        values = np.arange(N_VALUES)
        pixels = {kind: int(by_value[(values & kind) != 0].sum()) for kind in Defect}
        return {kind: Count(n, self.n_objects.get(kind, 0)) for kind, n in pixels.items() if n}

    def with_rays(self, is_ray: NDArray[np.bool_]) -> "Defects":
        """Return the defects with the pixels of cosmic rays (n_rows, n_columns); those that touch are one object."""
        from scipy.ndimage import label

        _, n = label(is_ray, np.ones((3, 3)))
        kinds = self.kinds | np.where(is_ray, np.uint16(Defect.COSMIC_RAY), np.uint16(0))
        return Defects(kinds, {**self.n_objects, Defect.COSMIC_RAY: n}) if n else self

    def line(self) -> str:
        """Return the objects of each kind and the fraction of pixels left out, as a line; empty if there are none.

        Examples
        --------
        >>> kinds = np.zeros((10, 10), np.uint16)
        >>> kinds[:, 4] = Defect.TRACK
        >>> Defects(kinds, {Defect.TRACK: 1}).line()
        '1 track: 10.0 % of the pixels left out'
        """
        counts = self.counts()
        found = [
            f"{counts[kind].n_objects} {names[counts[kind].n_objects != 1]}"
            for kind, names in NAMES.items() if kind in counts and counts[kind].n_objects
        ]  # fmt: skip
        return f"{', '.join(found)}: {100.0 * self.mask.mean():.1f} % of the pixels left out" if found else ""
