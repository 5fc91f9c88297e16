"""Catalogues, skies and measurements of figures, for the tests of plots."""

from types import SimpleNamespace

import numpy as np
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from darkmatter_features.galaxies.noisy.defects.kinds import NAMES, Defects
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.maps.shear import shear_maps


def sky_of(shape, *, bands=3, wcs=None):
    """Return a black sky of 8 bit."""
    return Sky("sky.png", np.zeros((*shape, bands), dtype=np.uint8), wcs=wcs)


def catalog_of(x, y, e, shape, *, size=3.0):
    """Return a catalogue with the ellipticities `e` (complex)."""
    n = len(x)
    return GalaxyCatalog(
        name="sky.png",
        shape=shape,
        x=np.array(x, dtype=np.float64),
        y=np.array(y, dtype=np.float64),
        e1=np.real(e).copy(),
        e2=np.imag(e).copy(),
        theta=0.5 * np.angle(e),
        size=np.full(n, size),
        fill_factor=np.ones(n),
        flux=np.ones(n),
        snr=np.ones(n),
        n_pixels=np.ones(n, dtype=np.int32),
        flags=np.zeros(n, dtype=np.uint8),
    )


def noisy_sources(shape, *, is_star, defects=None):
    """Return sources of an image with noise, with what the figures read of them: positions, stars, defects."""
    n, defects = len(is_star), Defects(np.zeros(shape, np.uint16), {}) if defects is None else defects
    return SimpleNamespace(
        sources=SimpleNamespace(x=np.linspace(5.0, shape[1] - 5.0, n), y=np.linspace(5.0, shape[0] - 5.0, n)),
        is_star=np.array(is_star),
        exposure=SimpleNamespace(mask=defects.mask, defects=defects),
    )


def all_defects(shape):
    """Return defects of all kinds."""
    kinds = np.zeros(shape, np.uint16)
    for k, kind in enumerate(NAMES):
        kinds[5 * k : 5 * k + 4] = kind
    return Defects(kinds, dict.fromkeys(NAMES, 25))


def lensed_catalog(rng, shape, lens, *, n=300):
    """Return galaxies of scatter 0.1 per component, tangential (0.3) within 120 px of the lens (row, column)."""
    x, y = rng.uniform(0, shape[1], n), rng.uniform(0, shape[0], n)
    offset = (x - lens[1]) + 1j * (y - lens[0])
    e = rng.normal(0, 0.1, n) + 1j * rng.normal(0, 0.1, n)
    return catalog_of(x, y, e - 0.3 * (offset / abs(offset)) ** 2 * (abs(offset) < 120), shape)


def planted_lens(rng):
    """Return a sky, its catalogue, its maps, and row and column of its lens."""
    shape, lens = (300, 400), (120.0, 260.0)
    catalog = lensed_catalog(rng, shape, lens)
    return sky_of(shape), catalog, shear_maps(catalog), lens


def world_coordinates(turn=0.0):
    """Return a tangential projection of 0.2 arcsec pixels about row 150, column 200, turned by an angle in degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, -30.0], [201.0, 151.0]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = 0.2 / 3600 * np.array([[-c, s], [s, c]])
    return wcs


def marks(axes: Axes, gid: str):
    """Return the positions (x, y) of the marks of a group."""
    return [tuple(np.ravel(line.get_data())) for line in axes.lines if line.get_gid() == gid]


def rendered(figure: Figure):
    """Return the RGB image (n_rows, n_columns, 3) of a figure, values 0 to 255."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(float)


def bare_axes(shape) -> tuple[Figure, Axes]:
    """Return axes that show an image of a shape pixel by pixel, row 0 on top, and nothing else."""
    figure = Figure(figsize=(shape[1] / 100, shape[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    return figure, axes


def contents(texts):
    """Return the strings of texts that are not empty."""
    return [text.get_text() for text in texts if text.get_text()]


def texts_of(figure: Figure):
    """Return the texts of a page: of the figure and of its body."""
    return [text for part in (figure, *figure.subfigs) for text in part.texts]


def lines_of(figure: Figure):
    """Return the lines of text of a page."""
    return "\n".join(contents(texts_of(figure))).split("\n")


def assert_readable(figure: Figure, texts):
    """Draw a figure, and assert that no text overlaps another one or leaves the page."""
    figure.draw_without_rendering()  # places and sizes of all parts, at half the time
    assert_apart(figure, texts)


def assert_apart(figure: Figure, texts):
    """Assert that no text of a figure that was drawn overlaps another one or leaves the page."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    for i, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, (text, box)
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, (text, box)
        overlapping = [(text, other) for other, other_box in boxes[:i] if box.overlaps(other_box)]
        assert not overlapping, overlapping


def visible_tick_labels(axes: Axes):
    """Return the tick labels of the y axis whose ticks are inside the limits."""
    low, high = sorted(axes.get_ylim())
    inside = [tick for tick in axes.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in inside for label in (tick.label1, tick.label2) if label.get_visible()]
