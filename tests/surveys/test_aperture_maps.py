"""The aperture mass of a survey is the sum over the galaxies in the aperture."""

import numpy as np
from numpy.testing import assert_allclose

from darkmatter_features.candidates.aperture_mass import FILTERS
from darkmatter_features.surveys.aperture_maps import aperture_maps, survey_radii
from darkmatter_features.surveys.filter_maps import filter_bank
from darkmatter_features.surveys.maps import patch_maps
from darkmatter_features.surveys.patches import Patch
from darkmatter_features.surveys.profiles import survey_profiles
from darkmatter_features.surveys.sky_patch import sky_patch
from tests.support.surveys import SCATTER, plane_survey


def test_each_pixel_is_the_sum_over_its_aperture(rng):
    z, e = plane_survey(rng, n=6000, side=40.0, halos=[(3.0, -2.0, 0.3, 1.0)])
    v = rng.uniform(0.5, 1.5, len(z)) / SCATTER**2
    patch = sky_patch(z.real, z.imag, e, v, cell=0.25, border=15.0)
    maps = patch_maps(Patch(0, 0, True), filter_bank(patch, survey_profiles((1.0,))))
    found = aperture_maps(patch, maps, (1.0, 9.0))
    assert [(each.filter_name, each.radius) for each in found] == [
        (name, radius) for radius in survey_radii((1.0, 9.0)) for name in FILTERS
    ]
    binned = np.array(patch.grid.centres(patch.grid.cells(patch.x, patch.y)))
    for each in found:
        for row, column in zip(rng.integers(5, maps.y.size - 5, 12), rng.integers(5, maps.x.size - 5, 12)):
            centre = np.array(patch.grid.centres(patch.grid.cells(maps.x[[column]], maps.y[[row]])))
            away = (binned - centre)[0] + 1j * (binned - centre)[1]
            inside = np.abs(away) <= each.radius
            q = FILTERS[each.filter_name](np.abs(away) / each.radius) * inside
            shear = -patch.e * np.exp(-2j * np.angle(away)) * (np.abs(away) > 0)
            response, norm = (patch.v * q * shear).sum(), (patch.v * q**2).sum()
            assert_allclose(each.snr[row, column], (response / np.sqrt(norm)).real, atol=0.03)
            assert_allclose(each.cross[row, column], (response / np.sqrt(norm)).imag, atol=0.03)
            mass = np.pi * response.real / (patch.v * inside).sum()
            assert_allclose(each.mass[row, column], mass, atol=1e-3)
