"""True galaxies, lenses and properties of simulated skies, in the folder `truth` of a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.labels import read_records, stem_of, write_records

TRUTH_COLUMNS = ("x", "y", "e1", "e2")
"""Columns of the true galaxies of a simulated image: position in pixels, ellipticity."""

OBJECT_COLUMNS = ("e1_unlensed", "e2_unlensed", "radius", "mag", "is_star", "psf_e1", "psf_e2")
"""Further columns of the true objects of an image like a survey's: ellipticity before lensing, half-light radius in
pixels, AB magnitude, 1 for a star and 0 for a galaxy, ellipticity of the PSF."""

LENS_COLUMNS = ("row", "column", "strength")
"""Columns of the true lens of a simulated sky: position in pixels, amplitude."""

CONDITION_COLUMNS = ("density", "area", "brightness", "psf_sigma", "elongation", "alignment")
"""Columns of the properties of a simulated sky that differ from sky to sky."""

_DIGITS = dict.fromkeys((*TRUTH_COLUMNS, *OBJECT_COLUMNS), 5) | {"x": 4, "y": 4, "radius": 4, "mag": 4, "is_star": 0}
"""Decimal digits of the columns of the true objects."""


def truth_path(root: str | Path, image: str | Path) -> Path:
    """Return the path of the true galaxies of a simulated image, a CSV file of the same stem."""
    return Path(root) / "truth" / f"{stem_of(Path(image).name)}.csv"


def psf_path(root: str | Path, image: str | Path) -> Path:
    """Return the path of the true PSF of a simulated image, a FITS file of the same stem."""
    return truth_path(root, image).with_suffix(".psf.fits")


def write_galaxy_truth(
    root: str | Path,
    image: str | Path,
    x: ArrayLike,
    y: ArrayLike,
    e1: ArrayLike,
    e2: ArrayLike,
    objects: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write the true galaxies of a simulated image to `truth/`, columns x, y, e1, e2 and those of `objects`.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    image : str or Path
        Image whose stem is that of the file.
    x, y : (n,) array-like, pixels
        Centres of the galaxies: column and row, zero-based.
    e1, e2 : (n,) array-like
        Ellipticities ``(a - b) / (a + b) exp(2i phi)`` after lensing; 0 for stars.
    objects : mapping of (n,) array-like, optional
        All of :data:`OBJECT_COLUMNS`, or none.
    """
    others = {name: objects[name] for name in OBJECT_COLUMNS} if objects else {}
    columns = (np.asarray(values, dtype=np.float64) for values in (x, y, e1, e2, *others.values()))
    digits = [_DIGITS[name] for name in (*TRUTH_COLUMNS, *others)]
    rows = ([f"{value:.{n}f}" for value, n in zip(row, digits, strict=True)] for row in zip(*columns, strict=True))
    write_records(truth_path(root, image), (*TRUTH_COLUMNS, *others), rows)


def read_galaxy_truth(root: str | Path, image: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read the true galaxies of a simulated image, without its stars.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    image : str or Path
        Image whose stem is that of the file.

    Returns
    -------
    dict of (n,) float64 arrays
        Columns `x` and `y` in pixels, `e1` and `e2` dimensionless.

    Raises
    ------
    DatasetError
        If there is no such file, or it has other columns.
    """
    truth = read_object_truth(root, image)
    is_galaxy = truth["is_star"] == 0 if "is_star" in truth else np.ones(len(truth["x"]), dtype=bool)
    return {name: truth[name][is_galaxy] for name in TRUTH_COLUMNS}


def read_object_truth(root: str | Path, image: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read the true galaxies and stars of a simulated image.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    image : str or Path
        Image whose stem is that of the file.

    Returns
    -------
    dict of (n,) float64 arrays
        Columns `x`, `y`, `e1`, `e2` and, of an image like a survey's, :data:`OBJECT_COLUMNS`.

    Raises
    ------
    DatasetError
        If there is no such file, or it has other columns.
    """
    path = truth_path(root, image)
    (_, header), *records = read_records(path)
    try:
        if tuple(header) not in (TRUTH_COLUMNS, (*TRUTH_COLUMNS, *OBJECT_COLUMNS)):
            raise ValueError
        values = np.array([fields for _, fields in records], dtype=np.float64).reshape(-1, len(header))
    except ValueError:
        raise DatasetError(f"{path} is not a table of numbers x,y,e1,e2; simulate the data set again") from None
    return dict(zip(header, values.T, strict=True))


def sky_truth_path(root: str | Path) -> Path:
    """Return the path of the table of the true lenses and properties of simulated skies."""
    return Path(root) / "truth" / "skies.csv"


def write_sky_truth(
    root: str | Path,
    files: Sequence[str | Path],
    lens_rows: ArrayLike,
    lens_columns: ArrayLike,
    amplitudes: ArrayLike,
    conditions: ArrayLike | None = None,
) -> None:
    """Write the true lens and the properties of every simulated sky to `truth/skies.csv`.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    files : (n,) sequence of str or Path
        Images inside `root`; column file.
    lens_rows, lens_columns : (n,) array-like, pixels of the 512 px frame
        Positions of the lenses, columns row and column; nan where there is none.
    amplitudes : (n,) array-like
        Amplitudes of the lenses in the unit of the simulator, column strength; nan where there is none.
    conditions : (n, 6) array-like, optional
        Properties of the skies, columns :data:`CONDITION_COLUMNS`; nan where the simulator has none.
    """
    names = [Path(file).relative_to(root).as_posix() for file in files]
    lenses = np.column_stack([lens_rows, lens_columns, amplitudes])
    properties = np.full((len(names), len(CONDITION_COLUMNS)), np.nan) if conditions is None else np.asarray(conditions)
    values = np.hstack([lenses, properties])
    rows = (
        [name, *("" if np.isnan(value) else f"{value:.4f}" for value in row)]
        for name, row in zip(names, values, strict=True)
    )
    write_records(sky_truth_path(root), ("file", *LENS_COLUMNS, *CONDITION_COLUMNS), rows)


def read_sky_truth(root: str | Path) -> dict[str, dict[str, float]]:
    """Read the true lenses and properties of simulated skies.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.

    Returns
    -------
    dict of dict of float
        By the path of the image relative to `root`: row, column and strength of the lens, and the properties
        :data:`CONDITION_COLUMNS`; nan where a value or its column is missing.

    Raises
    ------
    DatasetError
        If there is no such file, or it is not a table of numbers with a column file.
    """
    path = sky_truth_path(root)
    (_, header), *records = read_records(path)
    columns = (*LENS_COLUMNS, *CONDITION_COLUMNS)
    try:
        rows = [dict(zip(header, fields, strict=True)) for _, fields in records]
        return {row["file"]: {name: float(row.get(name) or "nan") for name in columns} for row in rows}
    except (KeyError, ValueError):
        raise DatasetError(f"{path} is not a table file,{','.join(columns)}; simulate the data set again") from None
