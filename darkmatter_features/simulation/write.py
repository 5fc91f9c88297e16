"""Simulated data sets: every sky from a seed of its own, written in parallel."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io.fits import PrimaryHDU
from PIL import Image

from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError, DatasetError
from darkmatter_features.io.dataset import (
    LAYOUTS,
    SPLITS,
    image_path,
    list_images,
    write_galaxy_truth,
    write_labels,
    write_sky_truth,
)
from darkmatter_features.io.table import written_whole
from darkmatter_features.simulation.seed import seed_sky
from darkmatter_features.simulation.sky import SimulatedSky
from darkmatter_features.simulation.survey import survey_sky
from darkmatter_features.workers import parallel

Maker = Callable[[np.random.Generator], SimulatedSky]
Lens = tuple[float, float, float]

_JOURNAL = ".unfinished-"

PRESETS: dict[str, tuple[Maker, str]] = {"seed": (seed_sky, ".png"), "survey": (survey_sky, ".fits")}
"""What each preset draws a sky with, and the ending of its pictures."""


def simulate_dataset(
    out: str | Path,
    *,
    n_training: int = 1200,
    n_validation: int = 600,
    preset: str = "seed",
    seed: int = 1,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a data set of simulated skies, in layout 1, true catalogues beside it.

    A run that was killed goes on where it was when started again.

    Parameters
    ----------
    out : str or Path
        Folder to write to; made when missing.
    n_training, n_validation : int
        How many skies of each split.
    preset : str
        "seed": 512 px drawings like the published skies; "survey": FITS pictures with noise, stars and a PSF.
    seed : int
        Same seed, same bytes, at any `n_jobs`; sky i is the same in a data set of any size.
    n_jobs : int
        Processes; -1 for all cores.
    progress : callable, optional
        Called with how many skies are done and how many there will be.

    Raises
    ------
    ConfigError
        No such preset, a negative seed or number of skies, or no sky at all.
    DatasetError
        `out` holds pictures that this data set would not overwrite.

    Examples
    --------
    >>> import tempfile
    >>> simulate_dataset(tempfile.mkdtemp(), n_training=1, n_validation=1, n_jobs=1)
    """
    maker, suffix = _preset(preset)
    counts = dict(zip(SPLITS, (n_training, n_validation)))
    _check_counts(counts)
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more, got {seed}; choose another")
    _check_room(Path(out))
    pictures = {split: _pictures(Path(out), split, counts[split], suffix) for split in SPLITS}
    journal = Path(out) / f"{_JOURNAL}{__version__}-{preset}-{seed}"
    _forget_others(journal)
    lenses = _write_skies(maker, pictures, journal, seed, n_jobs, progress)
    _write_tables(Path(out), pictures, lenses)
    shutil.rmtree(journal, ignore_errors=True)


def _preset(name: str) -> tuple[Maker, str]:
    if name not in PRESETS:
        raise ConfigError(f"No preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def _check_counts(counts: dict[str, int]) -> None:
    if min(counts.values()) < 0 or not any(counts.values()):
        asked = " and ".join(f"{n} {split}" for split, n in counts.items())
        raise ConfigError(f"A data set needs at least one sky, got {asked} skies; ask for 0 or more of each")


def _check_room(out: Path) -> None:
    """Refuse a folder with pictures in another layout than the first: of two data sets nobody would see one."""
    folders = {folder: layout.number for layout in LAYOUTS[1:] for folder in layout.folders}
    for folder, number in folders.items():
        if pictures := list_images(out / folder):
            found = f"{out} already holds a data set in layout {number}: {folder}/{pictures[0].name}"
            raise DatasetError(f"{found}; remove it or choose another folder")


def _pictures(out: Path, split: str, n: int, suffix: str) -> list[Path]:
    """Paths of a split's pictures; refuse a folder with others in it, as labels go by sorted order."""
    pictures = [image_path(out, split, i, suffix=suffix) for i in range(n)]
    folder = image_path(out, split, 0, suffix=suffix).parent
    strangers = sorted(set(folder.glob("[!.]*")) - set(pictures)) if folder.is_dir() else []
    if strangers:
        raise DatasetError(
            f"{folder} already holds {strangers[0].name}, which is none of the {n} skies to write; "
            "remove the folder or choose another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return pictures


def _forget_others(journal: Path) -> None:
    """Remove what killed runs left: their journals, which know nothing of the pictures now to be written, and parts."""
    for other in journal.parent.glob(f"{_JOURNAL}*"):
        if other != journal:
            shutil.rmtree(other)
    for split in SPLITS:
        for part in (journal.parent / split).glob(".*.tmp"):
            part.unlink()


def _write_skies(
    maker: Maker,
    pictures: dict[str, list[Path]],
    journal: Path,
    seed: int,
    n_jobs: int,
    progress: Callable[[int, int], None] | None,
) -> list[Lens]:
    """Draw and write every sky that is not there yet; return the lenses, in the order of the pictures."""
    tasks = [
        (journal, maker, picture, np.random.SeedSequence(seed, spawn_key=(k, i)))
        for k, split in enumerate(pictures)
        for i, picture in enumerate(pictures[split])
    ]
    lenses: list[Lens] = []
    for lens in parallel(_write_sky, tasks, n_jobs=n_jobs):
        lenses.append(lens)
        if progress is not None:
            progress(len(lenses), len(tasks))
    return lenses


def _write_sky(journal: Path, maker: Maker, picture: Path, seed: np.random.SeedSequence) -> Lens:
    """Write a picture and its truth; a line in the journal, written last, tells a later run that both are there."""
    line = journal / f"{picture.name}.json"
    if line.exists() and picture.exists():
        row, column, strength = json.loads(line.read_text())
        return row, column, strength
    sky = maker(np.random.default_rng(seed))
    write_galaxy_truth(journal.parent, picture, sky.x, sky.y, sky.e1, sky.e2)
    with written_whole(picture) as temporary:
        _write_picture(temporary, sky)
    lens = (sky.lens_row, sky.lens_column, sky.strength)
    with written_whole(line) as temporary:
        temporary.write_text(json.dumps(lens))
    return lens


def _write_picture(path: Path, sky: SimulatedSky) -> None:
    if sky.header is None:
        Image.fromarray(sky.pixels).save(path, format="PNG")
    else:
        PrimaryHDU(sky.pixels, sky.header).writeto(path)


def _write_tables(out: Path, pictures: dict[str, list[Path]], lenses: list[Lens]) -> None:
    """Labels and lenses of each split, and the truth of all skies; written last, as a sign of completeness."""
    rows, columns, strengths = np.array(lenses).T
    start = 0
    for split, files in pictures.items():
        part = slice(start, start + len(files))
        write_labels(out, split, np.isfinite(strengths[part]), rows[part], columns[part])
        start = part.stop
    write_sky_truth(out, [file for files in pictures.values() for file in files], rows, columns, strengths)
