"""The page of an exploration: one HTML file that needs nothing outside itself."""

import base64
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from classify.explore import figures
from classify.explore.distributions import by_class, ellipticities, galaxy_counts
from classify.explore.findings import CHECKS, Exploration
from classify.explore.look import Looks
from classify.explore.names import printable
from classify.explore.summary import class_table, facts
from classify.explore.values import (
    Values,
    number,
    values_of_counts,
    values_of_ellipticities,
    values_of_means,
    values_of_profile,
)
from classify.report.page import make_page, parts_of, to_bytes
from darkmatter_features import __version__
from darkmatter_features.io.sky import read_sky
from darkmatter_features.io.table import written_whole

STYLES, SCRIPTS = ("base.css", "explore.css"), ("core.js", "theme.js", "plain.js")
"""Style sheets and scripts of the page: those that it shares with the report, and its own."""

N_EXAMPLES = 4
"""Number of examples of each class."""

MAX_LISTED = 200
"""Maximum number of skies of a list in the page; it states how many more there are."""


FEW = 5
"""Maximum number of skies of a list that is open from the start."""


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes
    ----------
    title, caption : str
        Title and description.
    svg : Markup
        The figure, an SVG element.
    values : Values
        Its values.
    """

    title: str
    caption: str
    svg: Markup
    values: Values


def write_page(path: str | Path, exploration: Exploration, name: str) -> None:
    """Write the page of an exploration.

    Parameters
    ----------
    path : str or Path
        HTML file; it appears complete or not at all.
    exploration : Exploration
        Content and findings of a data set.
    name : str
        Folder or URL of the data set.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(to_bytes(page_of(exploration, name)))


def page_of(exploration: Exploration, name: str) -> str:
    """Return the HTML of an exploration; the same exploration gives the same page."""
    looks, source = exploration.looks, printable(name)
    short = source.rstrip("/").rpartition("/")[2] or source
    return make_page(
        "explore.html", data={}, **parts_of(STYLES, SCRIPTS), title=f"Data set {short}", name=short,
        version=__version__, served=False, source=source, n_skies=len(looks.skies), findings=exploration.findings,
        checks=CHECKS, facts=facts(exploration), classes=class_table(looks.skies), max_listed=MAX_LISTED, few=FEW,
        figures=_figures(exploration), examples=_examples(looks), notes=looks.notes,
    )  # fmt: skip


def _figures(exploration: Exploration) -> list[PageFigure]:
    if exploration.looks.skies["mean_e1"].notna().sum() == 0:
        return []
    made = [_figure_of_counts, _figure_of_ellipticities, _figure_of_means]
    return [make(exploration) for make in made] + _figure_of_profile(exploration)


def _figure_of_counts(exploration: Exploration) -> PageFigure:
    skies = exploration.looks.skies
    counts, distribution = skies["n_galaxies"].dropna(), galaxy_counts(skies)
    caption = (
        f"Skies by their number of measured galaxies: median {counts.median():.0f}, from {counts.min():.0f} to "
        f"{counts.max():.0f}.{' The classes should be alike.' if len(distribution.values) > 1 else ''}"
    )
    draw = partial(figures.draw_counts, distribution=distribution)
    return _figure("Galaxies of a sky", caption, draw, values_of_counts(distribution))


def _figure_of_ellipticities(exploration: Exploration) -> PageFigure:
    distribution = ellipticities(exploration.looks)
    caption = "Components of the ellipticity of all galaxies. Both should be alike, and symmetric about 0."
    draw = partial(figures.draw_ellipticities, distribution=distribution)
    return _figure("Ellipticities", caption, draw, values_of_ellipticities(distribution))


def _figure_of_means(exploration: Exploration) -> PageFigure:
    skies, bias = exploration.looks.skies, exploration.bias
    n_drawn, n_known = len(figures.drawn(skies)), int(skies["mean_e1"].notna().sum())
    sentences = ["The dotted circle about 0 contains 86 % of the skies if shapes have no preferred direction."]
    if bias is not None:
        sentences.insert(0, f"The mean of {bias.n_skies} skies, at the plus sign, is {bias.text}.")
    if n_drawn < n_known:
        sentences.append(f"{n_drawn} of {n_known} skies are drawn.")
    draw = partial(figures.draw_means, skies=skies, bias=bias)
    return _figure("Mean ellipticity of each sky", " ".join(sentences), draw, values_of_means(skies))


def _figure_of_profile(exploration: Exploration) -> list[PageFigure]:
    profile = exploration.profile
    if profile is None:
        return []
    caption = (
        f"Mean shear about {profile.n_lenses} lenses, by {profile.n_galaxies} galaxies. Within 15 to 150 px, the "
        f"tangential shear has S/N {number(profile.snr_t, '.1f')}; the cross shear, which should vanish, has "
        f"{number(profile.snr_x, '.1f')}. Distances are in pixels of a 512 px frame."
    )
    draw = partial(figures.draw_profile, profile=profile)
    return [_figure("Shear about the labelled lenses", caption, draw, values_of_profile(profile))]


def _figure(title: str, caption: str, draw: Any, values: Values) -> PageFigure:
    return PageFigure(title, caption, Markup(figures.svg_of(draw, title)), values)


def _examples(looks: Looks) -> list[dict[str, Any]]:
    """Return examples of each class: images as data URLs, with names and descriptions."""
    found = []
    for name, own in by_class(looks.skies):
        index = own.index[own["digest"] != ""].to_numpy()
        if len(index):
            chosen = index[np.unique(np.linspace(0, len(index) - 1, N_EXAMPLES).astype(int))]
            found.append({"name": name, "n": len(index), "skies": [_example(looks, int(k)) for k in chosen]})
    return found


def _example(looks: Looks, k: int) -> dict[str, str]:
    row, catalog = looks.skies.iloc[k], looks.catalogs[k]
    has_lens = np.isfinite(row["lens_row"])
    lens = (float(row["lens_row"]), float(row["lens_column"])) if has_lens else None
    image = base64.b64encode(figures.example_of(read_sky(looks.files[k]), lens)).decode("ascii")
    n = "galaxies not measured" if catalog is None else f"{len(catalog)} galaxies"
    position = f", lens at row {lens[0]:.0f}, column {lens[1]:.0f}" if lens else ""
    return {"sky": row["sky"], "text": n + position, "url": f"data:image/jpeg;base64,{image}"}
