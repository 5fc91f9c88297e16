"""Heatmaps of many skies: each is measured, evaluated by a model if there is one, and drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classify.cnn.inputs import FieldInput
from classify.model import LensModel
from classify.plots.examples import Drawing
from classify.verdicts.verdict import Verdict
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import failure_reason, path_text
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.extract import report
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.measure import measure_with_sources
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.table import check_made, make_folder
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.randomization import peak_p_value
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import ShearMaps, shear_maps
from darkmatter_features.maps.weighted import weighted_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.page import FORMATS, save_figure
from darkmatter_features.plots.template import draw_template
from darkmatter_features.plots.theme import THEMES, plot_theme
from darkmatter_features.workers import LOST, parallel

RANDOMIZATION_SEED = 1
"""Seed of the randomized skies of each sky, so that its p-value does not depend on the other skies."""


@dataclass(frozen=True)
class FigureStyle:
    """Format and theme of the files of figures.

    Attributes
    ----------
    format : str
        One of :data:`~darkmatter_features.plots.page.FORMATS`.
    theme : str
        One of :data:`~darkmatter_features.plots.theme.THEMES`.
    """

    format: str = FORMATS[0]
    theme: str = next(iter(THEMES))


@dataclass(frozen=True)
class Drawn:
    """Outcome of the drawing of heatmaps.

    Attributes
    ----------
    failures : tuple of (str, str)
        Skies that failed, with the reasons.
    notes : tuple of (str, str)
        Skies with choices that were made in reading their images, and these choices.
    """

    failures: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


def draw(
    drawings: Sequence[Drawing],
    out: str | Path,
    *,
    model: LensModel | None = None,
    n_randomizations: int = 0,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    style: FigureStyle = FigureStyle(),
    debug: bool = False,
) -> Drawn:
    """Draw heatmaps.

    Parameters
    ----------
    drawings : sequence of Drawing
        Heatmaps to draw.
    out : str or Path
        Folder of the files.
    model : LensModel, optional
        Model with the settings of the measurement, the template and the verdicts; without it the default settings are
        used, and there is no verdict.
    n_randomizations : int
        Number of randomized skies for each p-value; 0 for none.
    n_jobs : int
        Number of processes; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.
    style : FigureStyle
        Format and theme of the files; PNG in the dark theme by default.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    Drawn
    """
    if model is not None:
        _ = model.compiled  # once here: it is sent with the model, and not made again for each drawing
    tasks = [(drawing, Path(out), model, n_randomizations, style, debug) for drawing in drawings]
    make_folder(out)
    failures, notes = [], []
    first = preparation([drawing.sky for drawing in drawings])
    results = parallel(_draw_or_reason, tasks, n_jobs=n_jobs, **first, lost=lambda task: (LOST, ()))
    report(progress, 0, len(drawings))
    for done, (drawing, (reason, own)) in enumerate(zip(drawings, results), start=1):
        if reason is not None:
            failures.append((path_text(drawing.sky), reason))
        if own:
            notes.append((path_text(drawing.sky), "; ".join(own)))
        report(progress, done, len(drawings))
    return Drawn(tuple(failures), tuple(notes))


def draw_template_of(model: LensModel | None, out: str | Path, style: FigureStyle = FigureStyle()) -> Path:
    """Draw the template of a model, or the default one, as ``template.png`` in a folder, and return its path."""
    path = Path(out) / f"template.{style.format}"
    with plot_theme(style.theme):
        save_figure(path, draw_template(LensTemplate.default() if model is None else model.template))
    return path


def _draw_or_reason(
    drawing: Drawing, out: Path, model: LensModel | None, n_randomizations: int, style: FigureStyle, debug: bool
) -> tuple[str | None, tuple[str, ...]]:
    """Return the reason of a failure, and the notes on reading the image."""
    try:
        check_made(out)
        with plot_theme(style.theme):
            return None, _draw(drawing, out / f"{drawing.name}.{style.format}", model, n_randomizations)
    except Exception as error:  # an unforeseen error costs the heatmap of this sky only
        return failure_reason(error, debug=debug), ()


def _draw(drawing: Drawing, path: Path, model: LensModel | None, n_randomizations: int) -> tuple[str, ...]:
    sky = read_sky(drawing.sky)
    config, template = (MeasureConfig(), None) if model is None else (model.config, model.compiled)
    catalog, sources = measure_with_sources(sky, config)
    galaxies = PreparedCatalog(catalog, template)
    maps, evidence = shear_maps(galaxies, config=config), lens_evidence(galaxies)
    verdict = None if model is None else _verdict(model, sky, galaxies, maps, evidence)
    is_other = sources is not None and (verdict is None or verdict.unlike)  # the scales of the training do not hold
    figure = heatmap(
        sky,
        catalog,
        weighted_maps(catalog, config) if is_other else maps,
        matched=None if model is None or is_other else matched_filter(galaxies, config=config),
        evidence=evidence,
        null=None if model is None else lens_evidence(galaxies, cross=True),
        verdict=verdict,
        lens=drawing.lens,
        p_value=_p_value(catalog, template, n_randomizations),
        sources=sources,
    )
    check_made(path.parent)
    save_figure(path, figure)
    return sky.notes


def _p_value(catalog: GalaxyCatalog, template: CompiledTemplate | None, n_randomizations: int) -> float | None:
    if n_randomizations == 0:
        return None
    rng = np.random.default_rng(RANDOMIZATION_SEED)
    return peak_p_value(catalog, template, n_randomizations=n_randomizations, rng=rng)


def _verdict(model: LensModel, sky: Sky, galaxies: PreparedCatalog, maps: ShearMaps, evidence: Evidence) -> Verdict:
    """Return the verdict of a model from maps and evidence that are already computed."""
    row = feature_row(galaxies, maps, evidence)[None]
    return model.verdicts([galaxies.catalog.name], row, inputs=lambda _: [FieldInput.of(sky, galaxies, evidence)])[0]
