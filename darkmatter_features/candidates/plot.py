"""Figure of the candidates of a shape catalogue: the S/N of tangential and of cross shear, with numbered positions."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from darkmatter_features.candidates.find import Candidates
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.location.plot import field_page, label_panels
from darkmatter_features.plots.page import draw_color_bar, in_style, write_legend
from darkmatter_features.plots.posterior import best_fit, draw_position
from darkmatter_features.plots.snr import MAX_LIMIT, SnrMaps, contour_label, draw_snr, ends
from darkmatter_features.plots.theme import current_theme

OFFSET = (4, 4)
"""Offset of a number from its candidate, points."""


@in_style("theme")
def draw_candidates(catalog: ShapeCatalog, found: Candidates) -> Figure:
    """Draw the candidates of a catalogue, in the theme of :func:`~darkmatter_features.plots.theme.plot_theme`.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    found : Candidates
        Result of :func:`~darkmatter_features.candidates.find.find_candidates` for the catalogue.

    Returns
    -------
    matplotlib.figure.Figure
        The S/N of tangential and of cross shear in the same colours; y runs upwards. Axes are RA and Dec where the
        catalogue has a projection. Numbers are the rows of the table.
    """
    figure, panels = field_page(catalog, 2)
    located, n = found.field, len(found)
    count = "no candidate" if not n else f"{n} candidate{'s' if n > 1 else ''}, S/N of the best {found[0].snr:.1f}"
    titles = f"Tangential shear: {located.profile}\n{count}", "Cross shear: the null test\nat the same scale"
    values = located.snr_map, located.snr_cross_map
    maps = SnrMaps(None, located.rows, located.columns, *values, *titles, max_limit=MAX_LIMIT)
    draw_snr(panels[0], maps, which="tangential")
    draw_snr(panels[1], maps, which="cross")
    for axes in panels:
        _mark(axes, found)
    label_panels(panels, catalog)
    draw_color_bar(panels[1], "S/N", ticks=MaxNLocator("auto", integer=True), extend=ends(maps.limit, *values))
    write_legend(figure, {"position and error": best_fit()} | contour_label(maps.limit))
    return figure


def _mark(axes: Axes, found: Candidates) -> None:
    """Mark each candidate by its position, error and number."""
    theme = current_theme()
    for k, each in enumerate(found, start=1):
        draw_position(axes, each.x, each.y, each.position_error)
        axes.annotate(
            str(k), (each.x, each.y), OFFSET, textcoords="offset points", color=theme.position, zorder=6,
            fontweight="bold", path_effects=[withStroke(linewidth=2.0, foreground=theme.border)], annotation_clip=True,
        )  # fmt: skip
