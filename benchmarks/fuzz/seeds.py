"""Small valid inputs of every format that is read, the seeds of the mutations."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classify.config_file import Config
from classify.model import LensModel
from classify.model.likeness import Likeness
from classify.tables.columns import FEATURE_NAMES, select_features
from classify.trees.calibration import Calibration
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.io.table import write_table
from darkmatter_features.lens.template import LensTemplate

SIDE = 24
"""Rows and columns of the images, pixels."""

N_GALAXIES = 40
"""Galaxies of the shape catalogues."""

N_SKIES = 12
"""Skies of the label files and of the feature table."""


@dataclass(frozen=True)
class Seed:
    """A folder of files, one of which is mutated.

    Attributes
    ----------
    kind : str
        Reader of the input, see :mod:`fuzz.readers`.
    form : str
        Format of the file that is mutated.
    folder : Path
        Folder of the files.
    name : str
        Name of the file that is mutated, inside the folder.
    """

    kind: str
    form: str
    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The file that is mutated."""
        return self.folder / self.name


def sky_names() -> list[str]:
    """Return the names of the images that the label files are about."""
    return [f"sky-{k}.png" for k in range(N_SKIES)]


def feature_rows() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return feature rows (n, n_features), with a lens in every second one."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(10 * N_SKIES, len(FEATURE_NAMES))) + (np.arange(10 * N_SKIES) % 2)[:, None]


def write_seeds(root: Path) -> list[Seed]:
    """Write the seeds of all formats into folders below `root`."""
    makers: list[Callable[[Path], list[Seed]]] = [_images, _fits_images, _catalogs, _texts, _features, _models]
    return [seed for maker in makers for seed in maker(root)]


def _file(root: Path, kind: str, form: str, name: str) -> Seed:
    folder = root / f"{kind}-{name.replace('.', '-')}"
    folder.mkdir(parents=True)
    return Seed(kind, form, folder, name)


def _images(root: Path) -> list[Seed]:
    import tifffile
    from PIL import Image

    rng = np.random.default_rng(1)
    colour, grey = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((SIDE, SIDE, 3), (SIDE, SIDE)))
    deep = rng.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16)
    seeds = []
    for name, pixels in (("rgb.png", colour), ("grey.png", grey), ("deep.png", deep), ("sky.jpg", colour)):
        seeds.append(_file(root, "image", "png" if name.endswith("png") else "jpeg", name))
        Image.fromarray(pixels).save(seeds[-1].path)
    palette = _file(root, "image", "png", "palette.png")
    Image.fromarray(grey).convert("P").save(palette.path)
    for name, pixels, options in (
        ("deep.tif", deep, {}),
        ("rgb.tif", colour, {"compression": "zlib"}),
        ("float.tif", deep.astype(np.float32), {"tile": (16, 16)}),
    ):
        seeds.append(_file(root, "image", "tiff", name))
        tifffile.imwrite(seeds[-1].path, pixels, **options)
    return [*seeds, palette]


def _fits_images(root: Path) -> list[Seed]:
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN-SIP", "DEC--TAN-SIP"], [150.0, 2.0]
    wcs.wcs.cdelt, wcs.wcs.crpix = [-1e-4, 1e-4], [12.0, 12.0]
    header = wcs.to_header()
    header.update(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2, A_2_0=1e-6, B_0_2=1e-6)
    pixels = np.random.default_rng(2).normal(size=(SIDE, SIDE)).astype(np.float32)
    weights = fits.ImageHDU(np.ones_like(pixels), name="WHT")
    packed = fits.CompImageHDU(pixels, header, compression_type="RICE_1", name="SCI")
    lists = {
        "sky.fits": fits.HDUList([fits.PrimaryHDU(pixels, header)]),
        "extensions.fits": fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header, name="SCI"), weights]),
        "packed.fits": fits.HDUList([fits.PrimaryHDU(), packed]),
        "integers.fits": fits.HDUList([fits.PrimaryHDU((100 * pixels).astype(np.int16), header)]),
    }
    seeds = []
    for name, hdus in lists.items():
        seeds.append(_file(root, "image", "fits", name))
        hdus.writeto(seeds[-1].path)
    seeds.append(_file(root, "image", "fits.gz", "sky.fits.gz"))
    lists["sky.fits"].writeto(seeds[-1].path)
    return seeds


def _catalogs(root: Path) -> list[Seed]:
    from astropy.table import Table

    rng = np.random.default_rng(3)
    columns = {
        "ra": 150 + 0.1 * rng.random(N_GALAXIES),
        "dec": 2 + 0.1 * rng.random(N_GALAXIES),
        "x": 1000 * rng.random(N_GALAXIES),
        "y": 1000 * rng.random(N_GALAXIES),
        **dict(zip(("e1", "e2"), rng.normal(0, 0.2, (2, N_GALAXIES)), strict=True)),
        "weight": rng.random(N_GALAXIES) + 0.5,
        "name": [f"g{k}" for k in range(N_GALAXIES)],
    }
    on_sky = {name: column for name, column in columns.items() if name not in "xy"}
    seeds = [_file(root, "catalog", "csv", "shapes.csv"), _file(root, "catalog", "csv", "radec.csv")]
    for seed, own in zip(seeds, (columns, on_sky), strict=True):
        pd.DataFrame(own).round(5).to_csv(seed.path, index=False)
    seeds += [_file(root, "catalog", form, f"shapes.{form}") for form in ("ecsv", "fits", "parquet")]
    Table(columns).write(seeds[2].path)
    Table(columns).write(seeds[3].path)
    pd.DataFrame(columns).to_parquet(seeds[4].path)
    return seeds


def _texts(root: Path) -> list[Seed]:
    labels = _file(root, "labels", "csv", "labels.csv")
    labels.path.write_text("id,label\n" + "".join(f"{k},{k % 2}\n" for k in range(N_SKIES)))
    lenses = _file(root, "lenses", "csv", "lenses.csv")
    lenses.path.write_text(
        "id,row,column\n" + "".join(f"sky-{k}.png,{9 * k},{7.5 * k}\n" for k in range(1, N_SKIES, 2))
    )
    settings = _file(root, "settings", "toml", "settings.toml")
    settings.path.write_text(Config().to_toml())
    return [labels, lenses, settings]


def _features(root: Path) -> list[Seed]:
    table = _file(root, "features", "parquet", "features.parquet")
    rows = feature_rows()[:N_SKIES]
    frame = pd.DataFrame(
        {"split": "training", "sky": sky_names(), "label": pd.array(np.arange(N_SKIES) % 2, dtype="Int8")}
    )
    frame = frame.assign(lens_row=np.nan, lens_column=np.nan, **dict(zip(FEATURE_NAMES, rows.T, strict=True)))
    template, config = LensTemplate.default(), MeasureConfig()
    template.write(table.folder / "template.json")
    origin = {"dataset": "data", "config": config.to_dict(), "config_fingerprint": config.fingerprint()}
    origin |= {"template_fingerprint": template.fingerprint(), "version": __version__}
    write_table(table.path, frame, kind="features", metadata=origin)
    return [table, Seed("features", "json", table.folder, "template.json")]


def _models(root: Path) -> list[Seed]:
    import lightgbm

    folder, rows = root / "model", feature_rows()
    labels = np.arange(len(rows)) % 2
    options = {"objective": "binary", "num_leaves": 5, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1}
    data = lightgbm.Dataset(select_features(rows), labels)
    members = tuple(lightgbm.train({**options, "seed": k}, data, 4) for k in range(2))
    model = LensModel(
        Calibration(), members, Calibration(1.1, 0.1), MeasureConfig(), LensTemplate.default(), {"rounds": 4},
        _cnn_stage(), Likeness.fit(rows, labels),
    )  # fmt: skip
    model.save(folder)
    forms = {"model.json": "json", "template.json": "json", "member-0.txt": "lightgbm"}
    forms |= {"cnn-0.safetensors": "safetensors"} if model.cnn_stage else {}
    return [Seed("model", form, folder, f"model/{name}") for name, form in forms.items()]


def _cnn_stage() -> Any:
    """Return a stage of one small network; None without PyTorch."""
    if find_spec("torch") is None:
        return None
    from classify.cnn.config import CnnConfig
    from classify.cnn.network import LensNet
    from classify.cnn.stacking import Stacker
    from classify.cnn.stage import CnnStage
    from classify.cnn.weights import to_bytes

    config = CnnConfig(width=2, n_spin2=1, n_spin0=1, reach=4, channels=3)
    return CnnStage(1.0, Stacker(), config, (to_bytes(LensNet(config)),), asdict(Calibration()))
