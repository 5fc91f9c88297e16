"""The PSF of an image: one stamp, or a polynomial of stamps in the position."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.adaptive_moments import AdaptiveMoments, adaptive_moments
from darkmatter_features.galaxies.noisy.psf.stamps import MIN_SIDE, centred_stamp, cropped, light_radius

Array = NDArray[np.float64]
Powers = tuple[tuple[int, int], ...]

GAUSSIAN_RADIUS = 5.0
"""Half-side of the stamp of a Gaussian, widths."""


def polynomial_powers(degree: int) -> Powers:
    """Return the powers of u and v in the terms of a polynomial, in their order: 1, u, v, u^2, u v, v^2, ...

    Examples
    --------
    >>> polynomial_powers(2)
    ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    """
    return tuple((total - k, k) for total in range(degree + 1) for k in range(total + 1))


def polynomial_terms(u: ArrayLike, v: ArrayLike, powers: Powers) -> Array:
    """Return the terms u^i v^j at positions (n,), (n, n_terms)."""
    u, v = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64))
    return np.stack([u**i * v**j for i, j in powers], axis=-1)


@dataclass(frozen=True)
class PsfModel:
    """PSF of an image in image pixels, a polynomial in the position.

    Attributes
    ----------
    coefficients : (n_terms, side, side) float64 array, read-only
        Stamp of each term; the PSF is centred on the middle pixel, and the side is odd. It includes the pixels'
        response: a star is the stamp, shifted and times its flux.
    powers : tuple of (int, int)
        Powers i and j of each term u^i v^j, where u = (x - x0) / scale_x and v = (y - y0) / scale_y.
    origin : (float, float), pixels
        x0 and y0: column and row, 0 at the centre of the first pixel.
    scale : (float, float), pixels
        Scales of x and y.
    name : str
        File or method it is from, for messages and notes.
    """

    coefficients: Array
    powers: Powers = ((0, 0),)
    origin: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    name: str = "PSF"

    def __post_init__(self) -> None:
        values = np.array(self.coefficients, dtype=np.float64)
        _check(values, self)
        values.flags.writeable = False
        object.__setattr__(self, "coefficients", values)

    @classmethod
    def constant(cls, stamp: ArrayLike, *, name: str = "PSF") -> Self:
        """Return the PSF that is the same everywhere.

        Parameters
        ----------
        stamp : (n_rows, n_columns) array
            Image of the PSF in image pixels. It is moved so that its centroid is on the middle pixel of a stamp of odd
            side, and trimmed to its light.
        name : str
            File, for messages.

        Raises
        ------
        SkyError
            If the stamp has an axis too many, is smaller than 5 x 5 pixels, has no positive sum, values that are not
            finite, or no peak.
        """
        values = np.asarray(stamp, dtype=np.float64)
        if values.ndim != 2:
            raise SkyError(f"{name} has {values.ndim} axes, a PSF has two; give the plane of the image's band")
        return cls(centred_stamp(values, name)[np.newaxis], name=name).trimmed()

    @classmethod
    def gaussian(cls, sigma: float, *, name: str = "round Gaussian PSF") -> Self:
        """Return a round Gaussian PSF of width `sigma`, pixels: the fallback where an image has too few stars."""
        if not (np.isfinite(sigma) and sigma > 0.0):
            raise SkyError(f"The width of a Gaussian PSF must be positive, got {sigma} px; give another psf_sigma")
        half = max(int(np.ceil(GAUSSIAN_RADIUS * sigma)), MIN_SIDE // 2)
        profile = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
        return cls(np.outer(profile, profile)[np.newaxis], name=name)

    @property
    def side(self) -> int:
        """Side of the stamps, pixels."""
        return int(self.coefficients.shape[1])

    @property
    def is_constant(self) -> bool:
        """Whether the PSF is the same everywhere."""
        return all(power == (0, 0) for power in self.powers) or not self.coefficients[1:].any()

    def stamps(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Return the PSF at positions (n,), pixels: stamps (n, side, side) of sum 1."""
        u, v = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (x, y))
        u, v = (u - self.origin[0]) / self.scale[0], (v - self.origin[1]) / self.scale[1]
        terms = polynomial_terms(u, v, self.powers)
        values = (terms @ self.coefficients.reshape(len(self.powers), -1)).reshape(-1, self.side, self.side)
        total = values.sum(axis=(1, 2), keepdims=True)
        if not (total > 0.0).all():
            k = int((total <= 0.0).argmax())
            place = (
                f"x = {np.broadcast_to(x, total.shape[:1])[k]:.1f}, y = {np.broadcast_to(y, total.shape[:1])[k]:.1f}"
            )
            raise SkyError(f"{self.name} has no positive PSF at {place}; is it the model of this image?")
        return np.asarray(values / total)

    def stamp(self, x: float, y: float) -> Array:
        """Return the PSF at a position, pixels: a stamp (side, side) of sum 1."""
        return np.asarray(self.stamps(x, y)[0])

    def moments(self, x: ArrayLike, y: ArrayLike) -> AdaptiveMoments:
        """Return the adaptive moments of the PSF at positions (n,), pixels."""
        return adaptive_moments(self.stamps(x, y))

    def ellipticity(self, x: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
        """Return e1 and e2 of the PSF at positions, ``(a - b) / (a + b) exp(2i phi)``, of the shape of the positions.

        They are from moments with an adaptive Gaussian weight; see
        :func:`~darkmatter_features.galaxies.noisy.psf.adaptive_moments.adaptive_moments`.
        """
        found, shape = self.moments(np.ravel(x), np.ravel(y)), np.shape(x)
        return found.e1.reshape(shape)[()], found.e2.reshape(shape)[()]

    def sigma(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Return the width sqrt(a b) of the PSF at positions, pixels, from the same moments."""
        return self.moments(np.ravel(x), np.ravel(y)).sigma.reshape(np.shape(x))[()]

    def trimmed(self) -> Self:
        """Return the model without the outer rings of its stamps that hold nothing but noise."""
        at_origin = self.stamp(*self.origin)
        sigma = float(np.nan_to_num(adaptive_moments(at_origin[np.newaxis]).sigma[0]))
        half = light_radius(at_origin, sigma)
        if half == self.side // 2:
            return self
        planes = cropped(self.coefficients, half)
        return type(self)(planes, self.powers, self.origin, self.scale, self.name)


def _check(values: Array, model: PsfModel) -> None:
    """Raise a SkyError if coefficients are not those of a PSF."""
    shape = " x ".join(map(str, values.shape))
    if values.ndim != 3 or values.shape[1] != values.shape[2] or values.shape[1] % 2 == 0:
        raise SkyError(f"{model.name}: coefficients must be (n_terms, side, side) with an odd side, got {shape}")
    if values.shape[1] < MIN_SIDE:
        raise SkyError(f"{model.name}: the side must be at least {MIN_SIDE} px, got {shape}")
    if len(model.powers) != len(values):
        raise SkyError(f"{model.name}: {len(model.powers)} terms need as many stamps, got {shape}")
    if not np.isfinite(values).all():
        raise SkyError(f"{model.name}: {int((~np.isfinite(values)).sum())} coefficients are not finite")
    if not all(np.isfinite(each) and each != 0.0 for each in model.scale) or not np.isfinite(model.origin).all():
        raise SkyError(f"{model.name}: origin and scale must be finite and the scale not 0, got {model.scale}")
    if not values[0].sum() > 0.0:
        raise SkyError(f"{model.name}: the first stamp sums to {values[0].sum():.3g}; a PSF has a positive sum")
