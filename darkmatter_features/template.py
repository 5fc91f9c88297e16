"""What this kind of sky looks like without a lens: the ellipticities that shear is measured against."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError

if TYPE_CHECKING:
    from darkmatter_features.shapes import GalaxyCatalog

# Fewer galaxies than this in a bin of size do not tell a scatter.
MIN_GALAXIES = 50
N_SIZES = 6
# Scatter per component assumed of a single sky's galaxies before it is measured (the published skies: 0.21 to 0.23).
DEFAULT_SIGMA_E = 0.22


@dataclass(frozen=True)
class LensTemplate:
    """Mean and scatter of unlensed ellipticities, by size.

    Attributes
    ----------
    size_edges : tuple of k - 1 floats, pixels
        Where one bin of size ends and the next begins.
    mean_e1, mean_e2 : tuples of k floats
        The additive bias in each bin: the mean ellipticity of galaxies that no lens has touched.
    sigma_e : tuple of k floats
        Their scatter per component.
    source : str
        What it was made from.
    """

    size_edges: tuple[float, ...]
    mean_e1: tuple[float, ...]
    mean_e2: tuple[float, ...]
    sigma_e: tuple[float, ...]
    source: str

    @classmethod
    def default(cls, *, mean_e1: float = 0.0, mean_e2: float = 0.0) -> Self:
        """Return one bin without a fit: the given bias, and the scatter of the published skies."""
        return cls((), (mean_e1,), (mean_e2,), (DEFAULT_SIGMA_E,), "default: not fitted to any sky")

    @classmethod
    def of_sky(cls, catalog: "GalaxyCatalog") -> Self:
        """Return the default with the bias of one sky: its own mean ellipticity, to which a lens adds little."""
        return cls.default(mean_e1=float(np.mean(catalog.e1)), mean_e2=float(np.mean(catalog.e2)))

    @classmethod
    def fit(cls, size: NDArray[np.float64], e1: NDArray[np.float64], e2: NDArray[np.float64], *, source: str) -> Self:
        """Fit the bins to unlensed galaxies.

        Parameters
        ----------
        size, e1, e2 : (n,) float64 arrays
            Galaxies of skies without a lens.
        source : str
            What they are, for the record.

        Returns
        -------
        LensTemplate
            With as many bins, of equally many galaxies, as n allows (6 at most); the default if n is below 50.
        """
        n_sizes = min(N_SIZES, size.size // MIN_GALAXIES)
        if n_sizes == 0:
            return cls.default()
        edges = np.quantile(size, np.arange(1, n_sizes) / n_sizes)
        bins = np.searchsorted(edges, size)
        members = [bins == k for k in range(n_sizes)]
        return cls(
            size_edges=tuple(edges.tolist()),
            mean_e1=tuple(float(e1[own].mean()) for own in members),
            mean_e2=tuple(float(e2[own].mean()) for own in members),
            sigma_e=tuple(float(np.sqrt(0.5 * (e1[own].var() + e2[own].var()))) for own in members),
            source=source,
        )

    def bias_and_weight(
        self, size: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return mean e1, mean e2 and the inverse variance per component for galaxies of the given sizes."""
        bins = np.searchsorted(np.array(self.size_edges), size)
        return (
            np.array(self.mean_e1)[bins],
            np.array(self.mean_e2)[bins],
            np.array(self.sigma_e)[bins] ** -2.0,
        )

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change whenever maps made with this template would."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`; raises KeyError or TypeError on anything else."""
        bins = {name: tuple(map(float, values[name])) for name in ("size_edges", "mean_e1", "mean_e2", "sigma_e")}
        if len({len(bins[name]) for name in ("mean_e1", "mean_e2", "sigma_e")} | {len(bins["size_edges"]) + 1}) != 1:
            raise KeyError("bins of different number")
        return cls(**bins, source=str(values["source"]))

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises
        ------
        TableError
            If the file is missing or holds no template.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TableError(f"{path}: no template to be read ({error}); run `darkmatter features` again") from error
