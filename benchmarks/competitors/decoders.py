"""Decoders of PNG files. The fastest decode of the same file is the unit of the times."""

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any


def _pyspng(path: Path) -> Any:
    import pyspng

    return pyspng.load(path.read_bytes())


def _pillow(path: Path) -> Any:
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(BytesIO(path.read_bytes())))


def _skimage(path: Path) -> Any:
    from skimage.io import imread

    return imread(path)


def _imageio(path: Path) -> Any:
    from imageio.v3 import imread

    return imread(path)


def _opencv(path: Path) -> Any:
    import cv2

    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def _imagecodecs(path: Path) -> Any:
    from imagecodecs import png_decode

    return png_decode(path.read_bytes())


_DECODERS = {
    "pyspng": ("pyspng", _pyspng),
    "Pillow": ("PIL", _pillow),
    "scikit-image": ("skimage", _skimage),
    "imageio": ("imageio", _imageio),
    "OpenCV": ("cv2", _opencv),
    "imagecodecs": ("imagecodecs", _imagecodecs),
}


def installed() -> dict[str, Callable[[Path], Any]]:
    """Return the decoders whose package is installed, each from a path to an array."""
    return {name: decode for name, (package, decode) in _DECODERS.items() if find_spec(package)}
