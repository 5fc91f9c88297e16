"""From image files to files of shape catalogues."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, failure_reason, path_text
from darkmatter_features.features.extract import report
from darkmatter_features.galaxies.noisy.catalog import SourceCatalog, check_noise, measure_image
from darkmatter_features.galaxies.noisy.psf.reading import read_psf
from darkmatter_features.io.formats import without_suffix
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.planes import with_planes
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.table import check_made, make_folder, written_whole
from darkmatter_features.shape_catalogs.table import WRITERS, columns_of, write_catalog, writer_of
from darkmatter_features.workers import LOST, parallel

SUFFIX = ".parquet"
"""Format of the catalogues of several images."""


class Planes(NamedTuple):
    """Files beside an image, and its band.

    Attributes
    ----------
    weight, mask, psf : str or None
        Weight or noise map, mask, and PSF of the image; None without.
    weight_type : str or None
        Content of the weight file; None for that of its name.
    band : int or None
        Band of the image, 1 for the first; None for all.
    """

    weight: str | None = None
    mask: str | None = None
    psf: str | None = None
    weight_type: str | None = None
    band: int | None = None


@dataclass(frozen=True)
class Measured:
    """Outcome for one image.

    Attributes
    ----------
    image : str
        Path of the image.
    catalog : str
        File of the catalogue; "" if the image failed.
    lines : tuple of str
        What was measured, in lines for the user.
    error : str
        Reason of the failure; "" without one.
    """

    image: str
    catalog: str = ""
    lines: tuple[str, ...] = ()
    error: str = ""


def measure_images(
    images: Sequence[str | Path],
    out: str | Path,
    *,
    planes: Planes | None = None,
    diagnostics: str | Path | None = None,
    config: MeasureConfig | None = None,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> list[Measured]:
    """Measure images, and write a shape catalogue of each.

    Parameters
    ----------
    images : sequence of str or Path
        Images, possibly with a part of a file in brackets.
    out : str or Path
        File of the catalogue of one image, whose suffix gives the format; folder for those of several images.
    planes : Planes, optional
        Files beside the image; only with one image.
    diagnostics : str or Path, optional
        Folder for the stars and a figure of the PSF of each image.
    config : MeasureConfig, optional
        Settings. Default: all defaults.
    n_jobs : int
        Number of processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Function of the number of images done and of all images.
    debug : bool
        Raise an unforeseen error of an image instead of recording it.

    Returns
    -------
    list of Measured
        In the order of the images.

    Raises
    ------
    ConfigError
        If the suffix of `out` is that of no format, or that of a file for several images, or files beside the image are
        given for several images.
    """
    planes = planes or Planes()
    if len(images) > 1 and any((planes.weight, planes.mask, planes.psf)):
        raise ConfigError(
            "a weight, mask or PSF belongs to one image, but several images are given; measure each alone"
        )
    outs = _catalogs(images, Path(out))
    folder = None if diagnostics is None else Path(diagnostics)
    tasks = [
        (str(image), path, planes, folder, config or MeasureConfig(), debug)
        for image, path in zip(images, outs, strict=True)
    ]
    made = [out.parent for out in outs[:1]] + ([] if folder is None else [folder])
    for each in made:
        make_folder(each)
    report(progress, 0, len(tasks))
    done = []
    for measured in parallel(_measure_file, tasks, n_jobs=n_jobs, dask=dask, first_here=True, lost=_lost):
        done.append(measured)
        report(progress, len(done), len(tasks))
    return done


def _lost(task: tuple[Any, ...]) -> Measured:
    return Measured(path_text(Path(task[0])), error=LOST)


def _catalogs(images: Sequence[str | Path], out: Path) -> list[Path]:
    """Return the file of each catalogue: `out`, or files in it."""
    if len(images) == 1 and out.suffix:
        writer_of(out)
        return [out]
    if out.suffix.lower() in WRITERS and not out.is_dir():
        raise ConfigError(f"{out} is one file, but {len(images)} images are given; name a folder, such as {out.stem}")
    return _names(images, out)


def _names(images: Sequence[str | Path], folder: Path) -> list[Path]:
    """Return the file of each catalogue; a part of a file, and a number where names are equal, are in its name."""
    names: dict[str, None] = {}
    for image in images:
        path, part = split_part(Path(image))
        stem = without_suffix(path.name) + ("" if part is None else f"-{part}")
        tries = (stem if k == 1 else f"{stem}-{k}" for k in range(1, len(images) + 2))
        names[next(name for name in tries if name not in names)] = None
    return [folder / f"{name}{SUFFIX}" for name in names]


def _measure_file(
    image: str, out: Path, planes: Planes, diagnostics: Path | None, config: MeasureConfig, debug: bool
) -> Measured:
    """Measure an image and write its catalogue, or return why it failed."""
    try:
        sky = with_planes(read_sky(image, planes.band), planes.weight, planes.mask, planes.weight_type)
        check_noise(sky)
        psf = None if planes.psf is None else read_psf(planes.psf, sky.shape, _psf_weights(sky))
        catalog = measure_image(sky, config, psf)
        check_made(out.parent)
        write_catalog(out, columns_of(catalog, sky.photometry.zero_point), _notes(catalog))
        if diagnostics is not None:
            check_made(diagnostics)
            _write_diagnostics(diagnostics / out.stem, catalog)
        return Measured(path_text(Path(image)), str(out), (*sky.notes, *describe(catalog)))
    except Exception as error:  # an unforeseen error costs one image only
        return Measured(path_text(Path(image)), error=failure_reason(error, debug=debug))


def _psf_weights(sky: Sky) -> tuple[float, ...]:
    """Return the weights of the PSFs of the bands in that of a sky."""
    if sky.bands is not None:
        return sky.bands.psf_weights
    n_bands = int(sky.pixels.shape[2])
    return (1.0 / n_bands,) * n_bands


def describe(catalog: SourceCatalog) -> tuple[str, ...]:
    """Return lines on the sources, with what was left out of the image, and on its PSF."""
    return f"{_counts(catalog)}; {_left_out(catalog)}", catalog.psf.note


def _counts(catalog: SourceCatalog) -> str:
    n_stars, n_weighted = int(catalog.is_star.sum()), int((catalog.weight > 0.0).sum())
    return f"{len(catalog)} sources: {n_weighted} galaxies with a weight, {n_stars} stars"


def _left_out(catalog: SourceCatalog) -> str:
    return catalog.exposure.left_out or "nothing left out"


def _notes(catalog: SourceCatalog) -> dict[str, str]:
    """Return the origin of a catalogue, which is written with it."""
    return {
        "image": catalog.name,
        "sources": _counts(catalog),
        "left out": _left_out(catalog),
        "PSF": catalog.psf.note,
        "columns": "e = (a - b) / (a + b); see TCOMM or description",
    }


def _write_diagnostics(stem: Path, catalog: SourceCatalog) -> None:
    """Write the table of the stars of an image, and a figure of its PSF, if it was fitted to stars."""
    import pandas as pd

    from darkmatter_features.plots.page import save_figure
    from darkmatter_features.plots.psf import draw_psf

    if catalog.psf.fit is None:
        return
    with written_whole(stem.with_name(f"{stem.name}-stars.csv")) as temporary:
        pd.DataFrame(asdict(catalog.psf.fit.stars)).to_csv(temporary, index=False)
    save_figure(stem.with_name(f"{stem.name}-psf.png"), draw_psf(catalog.psf.fit))
