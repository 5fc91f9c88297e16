"""Write simulated data sets in parallel, every sky from a seed of its own."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from astropy.io.fits import HDUList, ImageHDU, PrimaryHDU
from PIL import Image

from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError, DatasetError
from darkmatter_features.io.dataset import (
    SPLITS,
    image_path,
    write_labels,
)
from darkmatter_features.io.layouts import LAYOUTS, list_images, zip_of
from darkmatter_features.io.lock import held
from darkmatter_features.io.table import check_made, written_whole
from darkmatter_features.io.truth import CONDITION_COLUMNS, psf_path, write_galaxy_truth, write_sky_truth
from darkmatter_features.simulation.seed import seed_sky
from darkmatter_features.simulation.sky import SimulatedSky
from darkmatter_features.simulation.survey import survey_sky
from darkmatter_features.simulation.survey_images import survey_like_sky
from darkmatter_features.simulation.surveys import Survey, survey_like
from darkmatter_features.workers import parallel

SkyMaker = Callable[[np.random.Generator], SimulatedSky]
SkyTruth = list[float]
"""Row, column and amplitude of the lens, then the values of ``CONDITION_COLUMNS``; nan where there is none."""

COMPRESSION = 3
"""Level of the compression of PNG: written in 2/3 and read in 4/5 of the time of level 6, with 12 % more bytes."""

_JOURNAL = ".unfinished-"
"""Prefix of the folder that records the finished skies of a run."""


@dataclass(frozen=True)
class Preset:
    """A kind of simulated sky.

    Attributes
    ----------
    name : str
        Name, part of the record of an unfinished data set.
    draw : callable
        Draws a sky with a random generator; workers must be able to import it.
    suffix : str
        Ending of the images: ``.png`` or ``.fits``.
    """

    name: str
    draw: SkyMaker
    suffix: str


PRESETS = {preset.name: preset for preset in (Preset("seed", seed_sky, ".png"), Preset("survey", survey_sky, ".fits"))}
"""Presets by name."""


def simulate_dataset(
    out: str | Path,
    *,
    n_training: int = 1200,
    n_validation: int = 600,
    preset: str | Preset = "seed",
    like: str | Survey | None = None,
    mirrored: bool = False,
    seed: int = 1,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a data set of simulated skies in layout 1, with the true catalogues.

    A run that was killed continues with its first missing sky when it is started again.

    Parameters
    ----------
    out : str or Path
        Folder of the data set; made if missing.
    n_training, n_validation : int
        Numbers of skies of the two splits.
    preset : str or Preset
        "seed": 512 px drawings like the published skies; "survey": FITS images with noise, stars and a PSF; or a
        preset of your own.
    like : str or Survey, optional
        Survey that the images of the preset "survey" resemble: "hsc", "des", "euclid", "hst", or one of your own. They
        then have a weight and a mask, and the PSF and stars are part of the truth.
    mirrored : bool
        Whether images like those of a survey are mirrored: east is to the right where north is up.
    seed : int
        Seed of the data set: files are the same at any `n_jobs`, and sky i is the same in a data set of any size.
    n_jobs : int
        Number of processes; -1 for all cores.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Called with the number of finished skies and the number of all skies.

    Raises
    ------
    ConfigError
        If there is no such preset or survey, `like` is given with another preset than "survey" or `mirrored` without
        `like`, the seed or a number of skies is negative, there is no sky at all, or another process writes to `out`.
    DatasetError
        If `out` holds images that are not part of this data set.

    Examples
    --------
    >>> import tempfile
    >>> simulate_dataset(tempfile.mkdtemp(), n_training=1, n_validation=1, n_jobs=1)
    """
    if mirrored and like is None:
        raise ConfigError("mirrored is for skies like those of a survey; name the survey with like")
    kind = _preset(preset) if like is None else _preset_like(preset, like, mirrored=mirrored)
    counts = dict(zip(SPLITS, (n_training, n_validation)))
    _check_counts(counts)
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more, got {seed}; choose another")
    with held(out):
        _check_room(Path(out))
        images = {split: _image_paths(Path(out), split, counts[split], kind.suffix) for split in SPLITS}
        journal = Path(out) / f"{_JOURNAL}{__version__}-{kind.name}-{seed}"
        _remove_others(journal)
        truth = _write_skies(kind.draw, images, journal, seed, partial(parallel, n_jobs=n_jobs, dask=dask), progress)
        _write_tables(Path(out), images, truth)
        shutil.rmtree(journal, ignore_errors=True)


def _preset(name: str | Preset) -> Preset:
    if isinstance(name, Preset):
        return name
    if name not in PRESETS:
        raise ConfigError(f"No preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def _preset_like(preset: str | Preset, like: str | Survey, *, mirrored: bool) -> Preset:
    """Return the preset ``survey`` matched to a survey."""
    if preset != "survey":
        name = preset.name if isinstance(preset, Preset) else preset
        raise ConfigError(f"Skies like those of a survey are of the preset survey, not {name}; choose that preset")
    survey = survey_like(like) if isinstance(like, str) else like
    survey = replace(survey, mirrored=survey.mirrored or mirrored)
    # The digest is part of the record of an unfinished data set.
    name = f"survey-{survey.name}-{crc32(repr(survey).encode()):08x}"
    return Preset(name, partial(survey_like_sky, survey=survey), ".fits")


def _check_counts(counts: dict[str, int]) -> None:
    if min(counts.values()) < 0 or not any(counts.values()):
        requested = " and ".join(f"{n} {split}" for split, n in counts.items())
        raise ConfigError(f"A data set needs at least one sky, got {requested} skies; request 0 or more of each")


def _check_room(out: Path) -> None:
    """Refuse a folder with zip files or with images in another layout, which would hide one of the two data sets."""
    for folder in (folder for layout in LAYOUTS for folder in layout.folders):
        if zip_of(out, folder).exists():
            found = f"{out} already holds a data set: {zip_of(out, folder).name}"
            raise DatasetError(f"{found}; choose another folder (with make: DATA={out}/ reads this one)")
    folders = {folder: layout.number for layout in LAYOUTS[1:] for folder in layout.folders}
    for folder, number in folders.items():
        if images := list_images(out / folder):
            found = f"{out} already holds a data set in layout {number}: {folder}/{images[0].name}"
            raise DatasetError(f"{found}; remove it or choose another folder")


def _image_paths(out: Path, split: str, n: int, suffix: str) -> list[Path]:
    """Return the paths of the images of a split; refuse a folder with others: labels follow the sorted order."""
    paths = [image_path(out, split, i, suffix=suffix) for i in range(n)]
    folder = image_path(out, split, 0, suffix=suffix).parent
    others = sorted(set(folder.glob("[!.]*")) - set(paths)) if folder.is_dir() else []
    if others:
        raise DatasetError(
            f"{folder} already holds {others[0].name}, which is not one of the {n} skies to write; "
            "remove the folder or choose another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return paths


def _remove_others(journal: Path) -> None:
    """Remove the journals of killed runs of other data sets, and partly written files."""
    for other in journal.parent.glob(f"{_JOURNAL}*"):
        if other != journal:
            shutil.rmtree(other)
    for split in SPLITS:
        for part in (journal.parent / split).glob(".*.tmp"):
            part.unlink()


def _write_skies(
    maker: SkyMaker,
    images: dict[str, list[Path]],
    journal: Path,
    seed: int,
    workers: Callable[..., Iterator[SkyTruth]],
    progress: Callable[[int, int], None] | None,
) -> list[SkyTruth]:
    """Draw and write every missing sky; return the truth in the order of the images."""
    tasks = [
        (journal, maker, image, np.random.SeedSequence(seed, spawn_key=(k, i)))
        for k, split in enumerate(images)
        for i, image in enumerate(images[split])
    ]
    truth: list[SkyTruth] = []
    for each in workers(_write_sky, tasks):
        truth.append(each)
        if progress is not None:
            progress(len(truth), len(tasks))
    return truth


def _write_sky(journal: Path, maker: SkyMaker, image: Path, seed: np.random.SeedSequence) -> SkyTruth:
    """Write an image and its truth, then a record in the journal by which a later run skips both."""
    record = journal / f"{image.name}.json"
    if record.exists() and image.exists():
        finished: SkyTruth = json.loads(record.read_text())
        return finished
    check_made(image.parent)
    sky = maker(np.random.default_rng(seed))
    check_made(image.parent)
    write_galaxy_truth(journal.parent, image, sky.x, sky.y, sky.e1, sky.e2, sky.objects)
    if sky.psf is not None:
        with written_whole(psf_path(journal.parent, image)) as temporary:
            PrimaryHDU(sky.psf).writeto(temporary)
    with written_whole(image) as temporary:
        _write_image(temporary, sky)
    conditions = [float(getattr(sky.conditions, name, np.nan)) for name in CONDITION_COLUMNS]
    truth = [sky.lens_row, sky.lens_column, sky.amplitude, *conditions]
    with written_whole(record) as temporary:
        temporary.write_text(json.dumps(truth))
    return truth


def _write_image(path: Path, sky: SimulatedSky) -> None:
    if sky.header is None:
        Image.fromarray(sky.pixels).save(path, format="PNG", compress_level=COMPRESSION)
    elif sky.planes:
        own = sky.header.copy()
        own.remove("BUNIT", ignore_missing=True)
        planes = [ImageHDU(plane, own, name) for name, plane in sky.planes.items()]
        HDUList([PrimaryHDU(), ImageHDU(sky.pixels, sky.header, "SCI"), *planes]).writeto(path)
    else:
        PrimaryHDU(sky.pixels, sky.header).writeto(path)


def _write_tables(out: Path, images: dict[str, list[Path]], truth: list[SkyTruth]) -> None:
    """Write the labels and lenses of each split and the truth of all skies, last, to mark a complete data set."""
    values = np.array(truth)
    rows, columns, amplitudes = values.T[:3]
    start = 0
    for split, files in images.items():
        part = slice(start, start + len(files))
        write_labels(out, split, np.isfinite(amplitudes[part]), rows[part], columns[part])
        start = part.stop
    all_files = [file for files in images.values() for file in files]
    write_sky_truth(out, all_files, rows, columns, amplitudes, values[:, 3:])
