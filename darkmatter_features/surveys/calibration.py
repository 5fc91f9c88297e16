"""Calibration of the shear of a survey: responses and multiplicative biases, averaged over all galaxies."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.conventions import RESPONSE_RANGE
from darkmatter_features.io.shape_tables.options import CatalogOptions

Array = NDArray[np.float64]

MIN_SCATTER = 1e-6
"""Minimum dispersion of one ellipticity component."""


@dataclass(frozen=True)
class Calibration:
    """How ellipticities respond to shear in a survey, beyond the response columns of its table.

    Attributes
    ----------
    selection_response : float
        Response of the selection of galaxies, added to the mean of the response columns.
    bias : str or None
        Column of the multiplicative bias m: all e are divided by ``1 + <m>``.
    e_rms : str or None
        Column of the intrinsic rms distortion per component: all e are divided by ``2 (1 - <e_rms^2>)``.
    """

    selection_response: float = 0.0
    bias: str | None = None
    e_rms: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Columns by the quantity as which they are read."""
        named = {"bias": self.bias, "e_rms": self.e_rms}
        return {key: name for key, name in named.items() if name is not None}


@dataclass
class ShearSums:
    """Weighted sums over the galaxies of a survey."""

    n: int = 0
    w: float = 0.0
    w_e: complex = 0.0
    w2: float = 0.0
    w2_e: complex = 0.0
    w2_e2: float = 0.0
    means: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, columns: dict[str, Array]) -> None:
        """Add galaxies."""
        e = columns["e1"] + 1j * columns["e2"]
        w = columns.get("weight", np.ones(len(e)))
        self.n += len(e)
        self.w, self.w_e = self.w + float(w.sum()), self.w_e + complex((w * e).sum())
        self.w2, self.w2_e = self.w2 + float((w * w).sum()), self.w2_e + complex((w * w * e).sum())
        self.w2_e2 += float((np.abs(w * e) ** 2).sum())
        responses = [values for key, values in columns.items() if key.startswith("response ")]
        means = {"response": np.mean(responses, axis=0)} if responses else {}
        means |= {key: columns[key] ** power for key, power in (("bias", 1), ("e_rms", 2)) if key in columns}
        for key, values in means.items():
            good = np.isfinite(values)
            total, weight = self.means.get(key, (0.0, 0.0))
            self.means[key] = total + float(w[good] @ values[good]), weight + float(w[good].sum())

    @property
    def mean(self) -> complex:
        """Weighted mean ellipticity."""
        return self.w_e / self.w

    def mean_snr(self) -> float:
        """Return the mean ellipticity over its root mean square error; nan where the shapes do not scatter."""
        square = self.w2_e2 - 2.0 * (np.conj(self.mean) * self.w2_e).real + abs(self.mean) ** 2 * self.w2
        error = np.sqrt(max(square, 0.0)) / self.w
        return float(abs(self.mean) / error) if error > 0.0 else np.nan

    def inverse_variance(self, factor: float, mean: complex) -> float:
        """Return the inverse variance of one component of e times `factor`, less a mean, for a galaxy of weight 1.

        The S/N has unit scatter for any weights, as in :func:`~darkmatter_features.location.field.field_of`.
        """
        square = self.w2_e2 - 2.0 * (np.conj(mean) * self.w2_e).real + abs(mean) ** 2 * self.w2
        variance = max(factor**2 * square / self.w2 / 2.0, MIN_SCATTER**2)
        return float(self.w / self.w2 / variance)

    def factor(self, path: Path, options: CatalogOptions, calibration: Calibration) -> tuple[float, str]:
        """Return the factor that takes ellipticities to shear, and a note on it.

        Raises
        ------
        TableError
            If the response is not positive, or the bias or e_rms is not known for any galaxy.
        """
        averages = {key: total / weight if weight > 0.0 else np.nan for key, (total, weight) in self.means.items()}
        response = averages.get("response", 1.0)
        is_guess = options.response is None and calibration == Calibration()
        if "response" in averages and is_guess:
            is_one = not options.distortion and RESPONSE_RANGE[0] <= response <= RESPONSE_RANGE[1]
            response = response if is_one else 1.0
        response += calibration.selection_response
        response *= 1.0 + averages.get("bias", 0.0)
        response *= 2.0 * (1.0 - averages["e_rms"]) if "e_rms" in averages else 1.0
        if not response > 0.0:
            raise TableError(f"{path}: the response to shear is {response:.3g}, not positive; give another --response")
        return 1.0 / response, "" if response == 1.0 else f"divided by the response {response:.4g}"
