"""The lens template: unlensed ellipticities, the shear about a lens, and the galaxy counts about it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.lens.array_record import ArrayRecord
from darkmatter_features.lens.density import N_ELLIPTICITIES, log_density_of

if TYPE_CHECKING:
    from darkmatter_features.galaxies.shapes import GalaxyCatalog

Array = NDArray[np.float64]

NODE_SPACING = 4.0
"""Distance between the nodes of the radial profiles, pixels."""

DEFAULT_SIGMA_E = 0.22
"""Scatter of ellipticity per component where none was measured (the published skies have 0.21 to 0.23)."""

DEFAULT_RADIUS = 100.0
"""Radius at which the default profile has its nominal shear, pixels."""

DEFAULT_SHEAR = 0.17
"""Shear of the default profile at that radius, as about the lenses of the published skies."""

DEFAULT_CORE = 20.0
"""Core radius of the default profile, an isothermal sphere, pixels."""

DEFAULT_OUTER_RADIUS = 260.0
"""Radius beyond which the default profile has no shear, pixels."""

DEFAULT_AMPLITUDES = tuple(0.4 * 1.25**k for k in range(8))
"""Amplitudes of the default template, in units of its profile."""

SKY_STATISTICS = (
    "fill_factor",
    "fill_factor_spread",
    "size",
    "size_spread",
    "mean_e1",
    "mean_e2",
    "sigma_e",
    "alignment",
    "n_galaxies",
)
"""Statistics of a sky that a template is adjusted to, see :mod:`darkmatter_features.lens.adjustment`."""

MAX_UNEVENNESS = 1e-4
"""Maximum deviation of the steps between log amplitudes from one another."""


@dataclass(frozen=True, eq=False)
class LensTemplate(ArrayRecord):
    """Model of the galaxies of a kind of sky, without a lens and about one: fitted, or a default.

    Galaxies are sorted into shape bins, by fill factor, which a lens leaves unchanged; partial galaxies (split from
    others, or cut by the border) have bins of their own. Without a lens, the ellipticities of shape bin k have the
    density ``p0(e)``, which includes the additive bias; to a shear g they respond as if it were ``response[k] g``.
    A lens of amplitude A has the reduced shear ``g(r) A^q(r)``. The exponent q is 1 on average, more near the lens,
    where convergence adds to the shear, than far out. About the lens, galaxies of a size bin have ``n(r)^A`` times the
    density that they have without one.

    Attributes
    ----------
    fill_factor_edges : (n_bins - 1,) float64 array
        Edges between the bins of fill factor. Shape bins are these bins, then the same bins of partial galaxies.
    log_p0 : (2 n_bins, 101, 101) float64 array
        Log density over e1 and e2, nodes from -1 to 1.
    mean_e1, mean_e2, sigma_e : (2 n_bins,) float64 arrays
        Means of that density, and its scatter per component.
    response : (2 n_bins,) float64 array
        Response of measured ellipticity to shear, relative to the mean over all shape bins.
    shear_profile : (n_profiles, n_nodes) float64 array
        Tangential shear g(r) at amplitude 1, nodes 4 px apart; 0 beyond the last.
    amplitude_exponent : (n_profiles, n_nodes) float64 array
        Exponent q(r) of the amplitude.
    amplitudes : (n_amplitudes,) float64 array, ascending
        Amplitudes, evenly spaced in their logarithm.
    weights : (n_profiles, n_amplitudes) float64 array
        Prior probability of each; the sum is 1.
    size_edges : (n_size_bins - 1,) float64 array, pixels
        Edges between the size bins of the counts.
    size_fractions : (n_size_bins,) float64 array
        Fraction of the galaxies in each size bin without a lens.
    log_counts : (n_size_bins, n_nodes) float64 array
        Log n(r), nodes 4 px apart.
    sky_centre, sky_scatter, sky_error : (9,) float64 arrays
        Median and standard deviation, over skies without a lens, of each of :data:`SKY_STATISTICS`, and the part of the
        latter that is the sampling error in a sky; empty in a template of few skies.
    bin_radii, bin_shear, bin_errors : (n_radii,) float64 arrays
        Measured shear, at its radii (pixels), with its standard errors; empty if none was measured. A fitted profile
        passes through it; the default profile stays where the measured shear is negligible.
    source : str
        Data that the template was fitted to.

    Raises
    ------
    ValueError
        If an array is not finite or has the wrong shape, or edges or amplitudes do not ascend.
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
    sky_centre: Array
    sky_scatter: Array
    sky_error: Array
    bin_radii: Array
    bin_shear: Array
    bin_errors: Array
    source: str

    def __post_init__(self) -> None:
        super().__post_init__()
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
        n_shape_bins, n_size_bins = 2 * (self.fill_factor_edges.size + 1), self.size_edges.size + 1
        expected = {
            "log_p0": (n_shape_bins, N_ELLIPTICITIES, N_ELLIPTICITIES),
            **dict.fromkeys(("mean_e1", "mean_e2", "sigma_e", "response"), (n_shape_bins,)),
            "amplitude_exponent": self.shear_profile.shape,
            "weights": (self.shear_profile.shape[0], self.amplitudes.size),
            "size_fractions": (n_size_bins,),
            "log_counts": (n_size_bins, self.log_counts.shape[1]),
            **dict.fromkeys(("bin_shear", "bin_errors"), self.bin_radii.shape),
            **dict.fromkeys(
                ("sky_centre", "sky_scatter", "sky_error"), (len(SKY_STATISTICS) if self.sky_centre.size else 0,)
            ),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, got {getattr(self, name).shape}")

    @classmethod
    def default(cls, *, mean_e1: float = 0.0, mean_e2: float = 0.0) -> Self:
        """Return the default template: an isothermal sphere with a core, and Gaussian ellipticities of the given mean.

        Notes
        -----
        The shear is ``0.17 (100 px) r / (r^2 + (20 px)^2)`` within 260 px.
        """
        radius = NODE_SPACING * np.arange(round(DEFAULT_OUTER_RADIUS / NODE_SPACING) + 1)
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
            sky_centre=np.empty(0),
            sky_scatter=np.empty(0),
            sky_error=np.empty(0),
            bin_radii=np.empty(0),
            bin_shear=np.empty(0),
            bin_errors=np.empty(0),
            source="default shapes; default profile",
        )

    @classmethod
    def of_sky(cls, catalog: "GalaxyCatalog") -> Self:
        """Return the default template with the mean ellipticity of one sky as its bias: a lens adds little to it."""
        if not catalog.is_resolved.any():
            return cls.default()
        known = catalog.is_resolved
        return cls.default(mean_e1=float(np.mean(catalog.e1[known])), mean_e2=float(np.mean(catalog.e2[known])))

    @property
    def nodes(self) -> Array:
        """Radii (n_nodes,) of the nodes of the shear profiles, pixels."""
        return NODE_SPACING * np.arange(self.shear_profile.shape[1], dtype=np.float64)

    def shears(self, radius: Array) -> Array:
        """Return the shear (n_profiles, n_amplitudes, n) of every profile and amplitude, at radii (n,) in pixels."""
        profiles = zip(self.shear_profile, self.amplitude_exponent, strict=True)
        at_radius = [
            (np.interp(radius, self.nodes, g, right=0.0), np.interp(radius, self.nodes, q)) for g, q in profiles
        ]
        return np.stack([g * self.amplitudes[:, None] ** q for g, q in at_radius])

    def shape_bins(self, catalog: "GalaxyCatalog") -> NDArray[np.int64]:
        """Return the shape bin (n,) of each galaxy: its bin of fill factor, partial galaxies after whole ones."""
        return self.shape_bins_of(catalog.fill_factor, catalog.is_partial)

    def shape_bins_of(self, fill_factor: Array, is_partial: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the shape bin (n,) of galaxies of these fill factors (n,), whole or partial (n,)."""
        edges = self.fill_factor_edges
        return np.searchsorted(edges, fill_factor) + (edges.size + 1) * is_partial

    def size_bins(self, size: Array) -> NDArray[np.int64]:
        """Return the size bin (n,) of galaxies of these sizes (n,) in pixels."""
        return np.searchsorted(self.size_edges, size)


def _is_geometric(values: Array) -> bool:
    if not values.size or (values <= 0).any():
        return False
    steps = np.diff(np.log(values))
    return bool((steps > 0).all() and (np.abs(steps - steps[:1]) <= MAX_UNEVENNESS).all())
