"""Turns by 90 degrees and mirror images of images, positions, ellipticities and catalogues."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np


class Turn(NamedTuple):
    """Quarter turns, as those of `numpy.rot90`, and then a mirror image of the columns, or none.

    Attributes
    ----------
    quarters : int
    is_mirrored : bool
    """

    quarters: int
    is_mirrored: bool

    def image(self, values):
        """Return an image (n_rows, n_columns, ...) after the turn."""
        turned = np.rot90(values, self.quarters)
        return np.ascontiguousarray(turned[:, ::-1] if self.is_mirrored else turned)

    def shape(self, shape):
        return (shape[1], shape[0]) if self.quarters % 2 else tuple(shape)

    def places(self, x, y, shape):
        """Return x and y after the turn of an image of a shape."""
        n_rows, n_columns = shape
        for _ in range(self.quarters):
            x, y, n_rows, n_columns = y, n_columns - 1 - x, n_columns, n_rows
        return (n_columns - 1 - x if self.is_mirrored else x), y

    def ellipticities(self, e1, e2):
        """Return e1 and e2 after the turn: twice 90 degrees are 180, which changes the sign."""
        sign = (-1.0) ** self.quarters
        return sign * e1, (-sign if self.is_mirrored else sign) * e2

    def catalog(self, catalog):
        """Return a catalogue of galaxies of an image after the turn."""
        x, y = self.places(catalog.x, catalog.y, catalog.shape)
        e1, e2 = self.ellipticities(catalog.e1, catalog.e2)
        theta = 0.5 * np.arctan2(e2, e1)
        return replace(catalog, x=x, y=y, e1=e1, e2=e2, theta=theta, shape=self.shape(catalog.shape))

    @property
    def parity(self):
        """Sign of the cross shear after the turn."""
        return -1.0 if self.is_mirrored else 1.0
