"""The page of an exploration: one HTML file that needs nothing outside itself."""

import base64
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from classify.explore import figures
from classify.explore.findings import Exploration
from classify.explore.look import Looks
from classify.explore.names import printable
from classify.explore.summary import class_table, summary_lines
from darkmatter_features import __version__
from darkmatter_features.io.sky import read_sky
from darkmatter_features.io.table import written_whole

N_EXAMPLES = 4
"""Number of examples of each class."""

MAX_LISTED = 200
"""Maximum number of skies that a finding lists in the page."""


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes
    ----------
    title, caption : str
        Title, and what the figure shows in words.
    svg : Markup
        The figure, an SVG element.
    """

    title: str
    caption: str
    svg: Markup


def write_page(path: str | Path, exploration: Exploration, name: str) -> None:
    """Write the page of an exploration.

    Parameters
    ----------
    path : str or Path
        HTML file; it appears complete or not at all.
    exploration : Exploration
        What was found.
    name : str
        Name of the data set, its title.
    """
    with written_whole(path) as temporary:
        temporary.write_text(page_of(exploration, name), encoding="utf-8")


def page_of(exploration: Exploration, name: str) -> str:
    """Return the HTML of an exploration; the same exploration gives the same page."""
    environment = Environment(
        loader=PackageLoader("classify.explore"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    looks = exploration.looks
    return environment.get_template("explore.html").render(
        name=printable(name),
        version=__version__,
        style=Markup((files("classify.explore") / "static" / "explore.css").read_text(encoding="utf-8")),
        lines=summary_lines(exploration),
        classes=class_table(looks.skies),
        findings=exploration.findings,
        max_listed=MAX_LISTED,
        figures=_figures(exploration),
        examples=_examples(looks),
        failures=looks.failures,
    )


def _figures(exploration: Exploration) -> list[PageFigure]:
    looks, profile, bias = exploration.looks, exploration.profile, exploration.bias
    if looks.skies["mean_e1"].notna().sum() == 0:
        return []
    counts = looks.skies["n_galaxies"].dropna()
    drawn = [
        ("Galaxies of a sky", partial(figures.draw_counts, skies=looks.skies),
         f"Number of measured galaxies: median {counts.median():.0f}, from {counts.min():.0f} to {counts.max():.0f}."),
        ("Ellipticities", partial(figures.draw_ellipticities, looks=looks),
         "Distribution of the components of the ellipticity of all galaxies; both should be alike and symmetric."),
        ("Mean ellipticity of each sky", partial(figures.draw_means, skies=looks.skies, bias=bias),
         _of_means(exploration)),
    ]  # fmt: skip
    if profile is not None:
        caption = (
            f"Mean shear about {profile.n_lenses} lenses, by {profile.n_galaxies} galaxies; tangential S/N "
            f"{profile.snr_t:.1f}, cross S/N {profile.snr_x:.1f}, within 15 to 150 px. The cross shear should vanish."
        )
        drawn.append(("Shear about the labelled lenses", partial(figures.draw_profile, profile=profile), caption))
    return [
        PageFigure(title, caption.replace("-", "−"), Markup(figures.svg_of(draw, title)))
        for title, draw, caption in drawn
    ]


def _of_means(exploration: Exploration) -> str:
    bias = exploration.bias
    circle = "The dotted circle holds 86 % of the skies if shapes have no preferred direction."
    if bias is None:
        return circle
    return f"The mean over {bias.n_skies} skies is ({bias.e1:+.4f}, {bias.e2:+.4f}) ± {bias.error:.4f}. {circle}"


def _examples(looks: Looks) -> list[dict[str, Any]]:
    """Return examples of each class: pictures as data URLs, with names and descriptions."""
    skies, found = looks.skies, []
    for label, name, *_ in figures.CLASSES:
        is_own = skies["label"].isna() if np.isnan(label) else skies["label"] == label
        index = np.flatnonzero(is_own & (skies["digest"] != ""))
        chosen = index[np.unique(np.linspace(0, len(index) - 1, N_EXAMPLES).astype(int))] if len(index) else []
        if len(chosen):
            found.append({"name": name, "skies": [_example(looks, int(k)) for k in chosen]})
    return found


def _example(looks: Looks, k: int) -> dict[str, str]:
    row, catalog = looks.skies.iloc[k], looks.catalogs[k]
    has_lens = np.isfinite(row["lens_row"])
    lens = (float(row["lens_row"]), float(row["lens_column"])) if has_lens else None
    picture = figures.example_of(read_sky(looks.files[k]), lens)
    n = "galaxies not measured" if catalog is None else f"{len(catalog)} galaxies"
    position = f", lens at row {lens[0]:.0f}, column {lens[1]:.0f}" if lens else ""
    return {"sky": row["sky"], "text": n + position, "url": _data_url(picture)}


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
