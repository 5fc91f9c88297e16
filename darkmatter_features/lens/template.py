"""What lensing looks like in a kind of sky: unlensed shapes, the shear about a lens, the counts about it."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError

if TYPE_CHECKING:
    from darkmatter_features.galaxies.shapes import GalaxyCatalog

Array = NDArray[np.float64]

# Nodes of the density of ellipticities, in e1 and in e2, from -1 to 1.
N_ELLIPTICITIES = 101
# Distance between the nodes of the profiles, pixels.
STEP = 4.0
# Scatter per component assumed where nothing was measured (the published skies: 0.21 to 0.23).
DEFAULT_SIGMA_E = 0.22
# The default profile: an isothermal sphere with a core, shear 0.17 at 100 px (the published skies), pixels.
DEFAULT_RADIUS, DEFAULT_SHEAR, DEFAULT_CORE, DEFAULT_REACH = 100.0, 0.17, 20.0, 260.0
DEFAULT_AMPLITUDES = tuple(0.4 * 1.25**k for k in range(8))
# A share of this broad Gaussian (standard deviation) keeps rare ellipticities possible.
BROAD_SHARE, BROAD_SIGMA = 0.02, 0.35
# Amplitudes are even in their logs within this part of their ratio.
EVENNESS = 1e-4


@dataclass(frozen=True, eq=False)
class LensTemplate:
    """What a lens does to a catalogue, and what the catalogue is without one. Fitted, or a default that says so.

    Galaxies come in kinds: by fill factor, which a lens leaves alone, and those split from others or cut by the border
    apart from the rest. Kind k has, without a lens, the density ``p0(e)`` of ellipticities, which carries the additive
    bias; its ellipticities answer to a shear g as if it were ``response[k] g``. A lens of amplitude A has the reduced
    shear ``g(r) A^q(r)``: q is 1 in the mean, more near the lens, where convergence adds to the shear, than far out.
    About the lens, galaxies of a class of size have ``n(r)^A`` times the density they have without one.

    Attributes
    ----------
    fill_factor_edges : (n_bins - 1,) float64 array
        Where one bin of fill factor ends and the next begins; kinds are these bins, then the same for partial galaxies.
    log_p0 : (2 n_bins, 101, 101) float64 array
        Log density over e1 and e2, nodes from -1 to 1.
    mean_e1, mean_e2, sigma_e : (2 n_bins,) float64 arrays
        Its means and its scatter per component.
    response : (2 n_bins,) float64 array
        Of measured ellipticity to shear, relative to the mean of all kinds.
    shear_profile : (n_profiles, n_nodes) float64 array
        g(r) of unit amplitude, nodes 4 px apart; zero beyond.
    amplitude_exponent : (n_profiles, n_nodes) float64 array
        The power q(r) of the amplitude that the shear grows with.
    amplitudes : (n_amplitudes,) float64 array, ascending
        Strengths, even in their logs.
    weights : (n_profiles, n_amplitudes) float64 array
        Their prior; sums to 1.
    size_edges : (n_classes - 1,) float64 array, pixels
        Classes of size for the counts.
    size_fractions : (n_classes,) float64 array
        Share of the galaxies in each without a lens.
    log_counts : (n_classes, n_nodes) float64 array
        Log n(r), nodes 4 px apart.
    bin_radii, bin_shear, bin_errors : (n_radii,) float64 arrays
        The measured shear, at its radii (pixels), with its standard errors; empty if none was measured. A fitted
        profile goes through it; the default one stays where it is next to nothing.
    source : str
        What it was made from.
    """

    fill_factor_edges: Array
    log_p0: Array
    mean_e1: Array
    mean_e2: Array
    sigma_e: Array
    response: Array
    shear_profile: Array
    amplitude_exponent: Array
    amplitudes: Array
    weights: Array
    size_edges: Array
    size_fractions: Array
    log_counts: Array
    bin_radii: Array
    bin_shear: Array
    bin_errors: Array
    source: str

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds numbers that are not finite")
            array.flags.writeable = False
        self._check_shapes()
        for name in ("fill_factor_edges", "size_edges"):
            if (np.diff(getattr(self, name)) < 0).any():
                raise ValueError(f"{name} must ascend, got {getattr(self, name)}")
        if not _is_geometric(self.amplitudes):
            raise ValueError(f"amplitudes must be positive, ascending and even in their logs, got {self.amplitudes}")

    def _check_shapes(self) -> None:
        for name in ("shear_profile", "log_counts"):
            shape = getattr(self, name).shape
            if len(shape) != 2 or shape[1] < 2:
                raise ValueError(f"{name} must have rows of two nodes or more, got the shape {shape}")
        shape_bins = 2 * (self.fill_factor_edges.size + 1)
        expected = {
            "log_p0": (shape_bins, N_ELLIPTICITIES, N_ELLIPTICITIES),
            **dict.fromkeys(("mean_e1", "mean_e2", "sigma_e", "response"), (shape_bins,)),
            "amplitude_exponent": self.shear_profile.shape,
            "weights": (self.shear_profile.shape[0], self.amplitudes.size),
            "size_fractions": (self.size_edges.size + 1,),
            "log_counts": (self.size_edges.size + 1, self.log_counts.shape[1]),
            **dict.fromkeys(("bin_shear", "bin_errors"), self.bin_radii.shape),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, got {getattr(self, name).shape}")

    @classmethod
    def default(cls, *, mean_e1: float = 0.0, mean_e2: float = 0.0) -> Self:
        """Return an isothermal sphere with a core, before Gaussian ellipticities of the given mean."""
        radius = STEP * np.arange(round(DEFAULT_REACH / STEP) + 1)
        profile = DEFAULT_SHEAR * DEFAULT_RADIUS * radius / (radius**2 + DEFAULT_CORE**2)
        amplitudes = np.array(DEFAULT_AMPLITUDES)
        log_p0 = log_density_of(np.array([mean_e1]), np.array([mean_e2]), smoothing=DEFAULT_SIGMA_E)
        return cls(
            fill_factor_edges=np.empty(0),
            log_p0=np.stack([log_p0, log_p0]),
            mean_e1=np.full(2, mean_e1),
            mean_e2=np.full(2, mean_e2),
            sigma_e=np.full(2, DEFAULT_SIGMA_E),
            response=np.ones(2),
            shear_profile=profile[None, :],
            amplitude_exponent=np.ones((1, profile.size)),
            amplitudes=amplitudes,
            weights=np.full((1, amplitudes.size), 1 / amplitudes.size),
            size_edges=np.empty(0),
            size_fractions=np.ones(1),
            log_counts=np.zeros((1, 2)),
            bin_radii=np.empty(0),
            bin_shear=np.empty(0),
            bin_errors=np.empty(0),
            source="default shapes; default profile",
        )

    @classmethod
    def of_sky(cls, catalog: "GalaxyCatalog") -> Self:
        """Return the default with the bias of one sky: its own mean ellipticity, to which a lens adds little."""
        if not len(catalog):
            return cls.default()
        return cls.default(mean_e1=float(np.mean(catalog.e1)), mean_e2=float(np.mean(catalog.e2)))

    def unlensed(self, catalog: "GalaxyCatalog") -> tuple[Array, Array, Array]:
        """Return mean e1, mean e2 and the inverse variance per component, (n,) each, of its galaxies without a lens."""
        kind = self.shape_bins(catalog)
        return self.mean_e1[kind], self.mean_e2[kind], self.sigma_e[kind] ** -2.0

    @property
    def nodes(self) -> Array:
        """Return the radii (n_nodes,) of the profiles' nodes, pixels."""
        return STEP * np.arange(self.shear_profile.shape[1], dtype=np.float64)

    def shears(self, radius: Array) -> Array:
        """Return the shear (n_profiles, n_amplitudes, n) of every profile and amplitude, at radii (n,) in pixels."""
        profiles = zip(self.shear_profile, self.amplitude_exponent, strict=True)
        at_radius = [
            (np.interp(radius, self.nodes, g, right=0.0), np.interp(radius, self.nodes, q)) for g, q in profiles
        ]
        return np.stack([g * self.amplitudes[:, None] ** q for g, q in at_radius])

    def shape_bins(self, catalog: "GalaxyCatalog") -> NDArray[np.int64]:
        """Return the kind (n,) of galaxies: by fill factor, those measured in part apart from those whole and alone."""
        edges = self.fill_factor_edges
        return np.searchsorted(edges, catalog.fill_factor) + (edges.size + 1) * catalog.is_partial

    def size_bins(self, size: Array) -> NDArray[np.int64]:
        """Return the class of size (n,) that galaxies are counted in."""
        return np.searchsorted(self.size_edges, size)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "source"}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON holds them."""
        return {**{name: array.tolist() for name, array in self.arrays().items()}, "source": self.source}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from :meth:`to_dict`; raises KeyError, TypeError or ValueError on anything else."""
        names = [field.name for field in fields(cls) if field.name != "source"]
        return cls(**{name: np.array(values[name], dtype=np.float64) for name in names}, source=str(values["source"]))

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LensTemplate) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change whenever maps made with this template would."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:16]

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        Path(path).write_text(self._text + "\n", encoding="utf-8")

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
            reason = f"it has no {error}, as this version wants" if isinstance(error, KeyError) else error
            raise TableError(f"{path}: no template to be read ({reason}); run `darkmatter features` again") from error


def _is_geometric(values: Array) -> bool:
    if not values.size or (values <= 0).any():
        return False
    steps = np.diff(np.log(values))
    return bool((steps > 0).all() and (np.abs(steps - steps[:1]) <= EVENNESS).all())


def log_density_of(e1: Array, e2: Array, *, smoothing: float) -> Array:
    """Return the log density (101, 101) of ellipticities, smoothed by a Gaussian and alike for e2 and -e2.

    The drawings of a sky know left from right no better than up from down: about a bias in e1, the sign of e2 is even.
    A bias in e2 itself is kept.

    Parameters
    ----------
    e1, e2 : (n,) float64 arrays
        The galaxies.
    smoothing : float
        Standard deviation of the Gaussian.
    """
    from scipy.ndimage import gaussian_filter

    spacing = 2.0 / (N_ELLIPTICITIES - 1)
    edges = np.linspace(-1.0 - spacing / 2, 1.0 + spacing / 2, N_ELLIPTICITIES + 1)
    mirrored = 2.0 * e2.mean() - e2
    counts, _, _ = np.histogram2d(np.tile(e1, 2), np.concatenate([e2, mirrored]), bins=(edges, edges))
    density = gaussian_filter(counts, smoothing / spacing, mode="constant")
    nodes = np.linspace(-1.0, 1.0, N_ELLIPTICITIES)
    broad = np.exp(-(nodes[:, None] ** 2 + nodes[None, :] ** 2) / (2.0 * BROAD_SIGMA**2))
    shares = ((1.0 - BROAD_SHARE) * density / density.sum(), BROAD_SHARE * broad / broad.sum())
    return np.asarray(np.log(sum(shares) / spacing**2))
