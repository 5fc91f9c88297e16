"""Themes of the figures of skies: dark for screens, light for print; and the colours that belong to each.

Colour maps have equal steps in the lightness of CIELAB [1]_, and the two signs of a diverging map are equally light, so
that equal differences of a value are equally visible, in grey and to colour-blind readers, too.

References
----------
.. [1] Kovesi 2015, arXiv:1509.03700.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType

from matplotlib.colors import LinearSegmentedColormap

from darkmatter_features.errors import ConfigError
from darkmatter_features.galaxies.noisy.defects.kinds import Defect


@dataclass(frozen=True, eq=False)
class Theme:
    """Colours and layout of figures of skies.

    Attributes
    ----------
    name, style : str
        Name of the theme, and stem of its style sheet.
    n_columns : int
        Maximum number of panels of a heatmap in a row.
    panel : (float, float), inches
        Maximum height and width of a panel of a heatmap.
    is_negative : bool
        Draw images of the sky as grey negatives, dark on white.
    text, faint : str
        Colours of marks of data and of secondary lines.
    lens, no_lens, unlike : str
        Colours of the verdicts, and of the mark of a sky unlike the training skies.
    ellipse, galaxy : str
        Colours of the outlines of galaxies over the sky, and under the posterior.
    mark, border, position, star : str
        Colours of the marks of peaks and lenses, of their borders, of the best-fit position, and of stars.
    contour : str
        Colour of contours.
    masked : float
        Grey level of masked pixels.
    tints : mapping of str
        Colour over pixels that are left out, by the kind of defect; the later one where several meet. Halos have that
        of their saturated stars.
    alpha : float
        Opacity of the tints.
    shear, posterior, density, sizes : LinearSegmentedColormap
        Colours of an S/N, diverging; of a posterior, of a density, and of galaxies from small to large, sequential.
    """

    name: str
    style: str
    n_columns: int
    panel: tuple[float, float]
    is_negative: bool
    text: str
    faint: str
    lens: str
    no_lens: str
    unlike: str
    ellipse: str
    galaxy: str
    mark: str
    border: str
    position: str
    star: str
    contour: str
    masked: float
    alpha: float
    shear: LinearSegmentedColormap
    posterior: LinearSegmentedColormap
    density: LinearSegmentedColormap
    sizes: LinearSegmentedColormap
    tints: Mapping[Defect, str] = field(default_factory=dict)


def _tints(*colors: str) -> Mapping[Defect, str]:
    kinds = (
        Defect.FRAME, Defect.CAPTION, Defect.SATURATED, Defect.BLEED, Defect.SPIKE, Defect.TRACK, Defect.COSMIC_RAY,
        Defect.GHOST,
    )  # fmt: skip
    return MappingProxyType(dict(zip(kinds, colors, strict=True)))


def _colors(name: str, colors: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(name, [f"#{color}" for color in colors.split()])


DARK = Theme(
    name="dark",
    style="dark",
    n_columns=4,
    panel=(5.334, 3.414),
    is_negative=False,
    text="white",
    faint="#8b949e",
    lens="#ffb454",
    no_lens="#a9b4c0",
    unlike="#ff7b72",
    ellipse="#5df2b4",  # a green that no galaxy has
    galaxy="#2f3a48",
    mark="white",
    border="#05070a",
    position="#7df3ff",
    star="#ffe9a8",
    contour="white",
    masked=0.14,
    alpha=0.5,
    shear=_colors(
        "shear",
        "ceedfd 96d1f3 69b3e0 4695c7 2878ac 1e5c85 144160 0f273b 0e0e0e 3f1b18 6c2817 96391a bf4f1e d97327 f29631 "
        "f9bf6f fee6b1",
    ),
    posterior=_colors("posterior", "05060c 0f1027 1d1a43 312563 523686 7d4ca9 a468b8 c984c6 dba3d3 edc3df ffe3ec"),
    density=_colors("density", "000000 071722 0d2c41 154364 1e5e88 2979ae 4998c9 6db7e4 97d1f2 c1e5f9 eaf8ff"),
    sizes=_colors("sizes", "7a5cff b55fcf d86da5 eb867f f4ad67 f7e98a"),
    tints=_tints("#59616b", "#1747c9", "#f59a1b", "#a23300", "#fff07a", "#f4b8f0", "#8f7bff", "#17b8a6"),
)
"""The default: light on dark, for screens; a map without signal is dark."""

LIGHT = Theme(
    name="light",
    style="print",
    n_columns=2,
    panel=(3.9, 2.6),
    is_negative=True,
    text="#111111",
    faint="#5f6670",
    lens="#a33b00",
    no_lens="#4a5260",
    unlike="#b00020",
    ellipse="#0a6ebd",
    galaxy="#aab1bb",
    mark="#111111",
    border="white",
    position="#b0125b",
    star="#8a6100",
    contour="#222222",
    masked=0.86,
    alpha=0.55,
    shear=_colors(
        "shear light",
        "174975 215e91 2c74ae 458ac1 61a2d1 7eb9e0 a7ceea cfe4f3 f9f9f9 fbdcbd f7be8a f1a059 e1843f d16724 b55318 "
        "964212 77320d",
    ),
    posterior=_colors(
        "posterior light", "ffffff f2ecf7 e5d9f0 d9c6e9 ccb4e2 c0a2da b490d3 a87ecc 996bc2 8a58b8 7b45ad"
    ),
    density=_colors("density light", "ffffff e1eef8 c3def0 a5cde9 85bde2 69a8d5 4e92c6 357eb8 27689f 1c5383 123f68"),
    sizes=_colors("sizes light", "2d1a8f 86308f b43f75 ce5a57 dc7c3a d8a520"),
    tints=_tints("#b4bac2", "#1747c9", "#f08c00", "#8a2b00", "#e6d800", "#c04fb8", "#7a66ff", "#00806f"),
)
"""For print: dark on white, of the width of a page of a journal."""

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}
"""Themes by name, the default first."""

_current: ContextVar[Theme] = ContextVar("theme", default=DARK)


def current_theme() -> Theme:
    """Return the theme in which figures are drawn."""
    return _current.get()


@contextmanager
def plot_theme(theme: str | Theme) -> Iterator[Theme]:
    """Draw heatmaps and templates in a theme within a ``with`` block.

    Parameters
    ----------
    theme : str or Theme
        ``"dark"`` for screens, ``"light"`` for print, or a theme of your own.

    Yields
    ------
    Theme
        The theme.

    Raises
    ------
    ConfigError
        If there is no theme of this name.

    Examples
    --------
    >>> with plot_theme("light"):
    ...     current_theme().name
    'light'
    """
    chosen = THEMES.get(theme) if isinstance(theme, str) else theme
    if chosen is None:
        raise ConfigError(f"no theme is named {theme!r}; use one of {', '.join(THEMES)}")
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)
