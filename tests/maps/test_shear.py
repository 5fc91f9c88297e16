from dataclasses import replace

import numpy as np
import pytest
import treecorr

from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps import shear
from darkmatter_features.maps.shear import N_SCALES, shear_maps
from tests.support.drawing import catalog_of, lensed_catalog

CENTRE = (300.0, 200.0)


def _nearest(maps, x, y):
    return abs(maps.rows - y).argmin(), abs(maps.columns - x).argmin()


def test_planted_shear_is_recovered(rng):
    """60,000 galaxies of scatter 0.2 give the mean in the largest window (some 15,000) to 0.0012: 1.2 % of 0.1.

    The centre is that of the grid point nearest to the planted one, 4 px off at most.
    """
    maps = shear_maps(lensed_catalog(rng, n=60_000, centre=CENTRE, gamma=0.1), LensTemplate.default())
    i, j = _nearest(maps, *CENTRE)
    assert maps.gamma_t[-1, i, j] == pytest.approx(0.1, rel=0.03)


def test_gamma_x_vanishes_around_a_lens(rng):
    maps = shear_maps(lensed_catalog(rng, n=20_000, centre=CENTRE), LensTemplate.default())
    i, j = _nearest(maps, *CENTRE)
    assert np.abs(maps.snr_cross[:, i, j]).max() < 3
    assert maps.snr[:, i, j].min() > 5


def test_peak_finds_the_lens(rng):
    peak = shear_maps(lensed_catalog(rng, centre=CENTRE, gamma=0.2)).peak
    assert np.hypot(peak.column - CENTRE[0], peak.row - CENTRE[1]) < 10


def test_peak_is_interpolated_between_centres():
    """The vertex of a map that is a parabola along each axis, 5 and -3 px from the highest centre."""
    maps = shear_maps(catalog_of([5.0], [5.0], [0.1], [0.0], shape=(161, 321)), config=MeasureConfig(grid_spacing=16))
    snr = 9 - ((maps.rows[:, None] - 85) / 40) ** 2 - ((maps.columns - 141) / 50) ** 2
    peak = replace(maps, snr=np.stack([0.5 * snr, snr]), scales=maps.scales[:2]).peak
    assert (peak.row, peak.column, peak.scale) == pytest.approx((85, 141, maps.scales[1]))
    corner = replace(maps, snr=(maps.rows[:, None] + maps.columns)[None]).peak
    assert (corner.row, corner.column) == (160, 320)


def test_snr_has_unit_scatter_without_a_lens(rng):
    """Over many skies, tangential and cross S/N at one centre are standard normal."""
    at_centre = []
    for _ in range(200):
        e = rng.normal(0, 0.22, (2, 150))
        maps = shear_maps(catalog_of(*rng.uniform(0, 511, (2, 150)), *e), LensTemplate.default())
        at_centre.append([maps.snr[3, 20, 30], maps.snr_cross[3, 20, 30]])
    # 400 normals measure a standard deviation to 3.5 %.
    assert np.std(at_centre) == pytest.approx(1.0, abs=0.12)


def test_maps_equal_treecorr(rng):
    """TreeCorr's brute-force tangential shear of the same galaxies, weighted by the same window, about each centre."""
    catalog = lensed_catalog(rng, n=300, centre=CENTRE, gamma=0.15)
    catalog = catalog_of(catalog.x, catalog.y, catalog.e1, catalog.e2, fill_factor=rng.uniform(1, 3, 300))
    bins = {"mean_e1": [0.05, 0.1] * 2, "mean_e2": [-0.01, 0.02] * 2, "sigma_e": [0.2, 0.3] * 2, "response": [1.0] * 4}
    template = replace(
        LensTemplate.default(),
        fill_factor_edges=np.array([2.0]),
        log_p0=np.repeat(LensTemplate.default().log_p0, 2, axis=0),
        **{name: np.array(values) for name, values in bins.items()},
    )
    maps = shear_maps(catalog, template, MeasureConfig(grid_spacing=100))
    prepared = PreparedCatalog(catalog, template)
    for i, row in enumerate(maps.rows):
        for j, column in enumerate(maps.columns):
            square = (catalog.x - column) ** 2 + (catalog.y - row) ** 2
            for s in (0, N_SCALES - 1):
                window = np.exp(-square / (2 * maps.scales[s] ** 2))
                galaxies = treecorr.Catalog(
                    x=catalog.x, y=catalog.y, g1=prepared.e1, g2=prepared.e2, w=window * prepared.weight
                )
                tangential = treecorr.NGCorrelation(min_sep=1e-3, max_sep=2000, nbins=1, brute=True, verbose=0)
                tangential.process(treecorr.Catalog(x=[column], y=[row]), galaxies)
                assert maps.gamma_t[s, i, j] == pytest.approx(tangential.xi[0], abs=1e-6)
                assert maps.gamma_x[s, i, j] == pytest.approx(tangential.xi_im[0], abs=1e-6)


def test_flipping_the_sky_changes_the_sign_of_gamma_x(rng):
    catalog = lensed_catalog(rng, n=400)
    flipped = catalog_of(511 - catalog.x, catalog.y, catalog.e1, -catalog.e2)
    before, after = (shear_maps(c, LensTemplate.default()) for c in (catalog, flipped))
    np.testing.assert_allclose(after.snr, before.snr[:, :, ::-1], atol=1e-9)
    np.testing.assert_allclose(after.snr_cross, -before.snr_cross[:, :, ::-1], atol=1e-9)


def test_rotating_the_sky_rotates_the_map(rng):
    catalog = lensed_catalog(rng, n=400)
    turned = catalog_of(catalog.y, 511 - catalog.x, -catalog.e1, -catalog.e2)
    before, after = (shear_maps(c, LensTemplate.default()) for c in (catalog, turned))
    np.testing.assert_allclose(after.snr, np.rot90(before.snr, axes=(1, 2)), atol=1e-9)
    np.testing.assert_allclose(after.snr_cross, np.rot90(before.snr_cross, axes=(1, 2)), atol=1e-9)


def test_rotating_all_galaxies_by_45_degrees_moves_the_signal_to_the_cross_map(rng):
    catalog = lensed_catalog(rng, n=400)
    turned = catalog_of(catalog.x, catalog.y, -catalog.e2, catalog.e1)
    before, after = (shear_maps(c, LensTemplate.default()) for c in (catalog, turned))
    np.testing.assert_allclose(after.snr_cross, before.snr, atol=1e-9)


def test_bias_of_the_template_is_subtracted(rng):
    """A constant ellipticity adds spurious shear near the border, where it does not average out."""
    state = rng.bit_generator.state
    clean = shear_maps(lensed_catalog(rng, n=500), LensTemplate.default())
    rng.bit_generator.state = state
    biased = lensed_catalog(rng, n=500, bias=0.08)
    corrected = shear_maps(biased, LensTemplate.default(mean_e1=0.08))
    np.testing.assert_allclose(corrected.snr, clean.snr, atol=1e-9)
    assert np.abs(shear_maps(biased, LensTemplate.default()).snr - clean.snr).max() > 1


def test_grid_covers_the_image():
    maps = shear_maps(catalog_of([5.0], [5.0], [0.1], [0.0], shape=(300, 701)))
    assert (maps.rows[0], maps.rows[-1], maps.columns[0], maps.columns[-1]) == (0, 299, 0, 700)
    assert np.diff(maps.columns).max() == pytest.approx(MeasureConfig().grid_spacing, rel=0.05)


def test_far_from_all_galaxies_the_map_is_nan():
    maps = shear_maps(
        catalog_of([5.0], [5.0], [0.1], [0.0], shape=(4000, 4000)), config=MeasureConfig(grid_spacing=500)
    )
    assert maps.snr[0, -1, -1] == 0
    assert np.isnan(maps.gamma_t[0, -1, -1])


def test_maps_without_galaxies_are_nan():
    maps = shear_maps(catalog_of(*np.empty((4, 0))), LensTemplate.default())
    assert np.isnan(maps.gamma_t).all()
    assert np.isnan(maps.gamma_x).all()
    assert not maps.snr.any()
    assert not maps.snr_cross.any()


# Large fields


def _both_ways(catalog, config, monkeypatch):
    """Return the maps summed galaxy by galaxy, and on a mesh."""
    maps = []
    for gain in (np.inf, 0.0):
        monkeypatch.setattr(shear, "MIN_SPEEDUP", gain)
        maps.append(shear_maps(catalog, LensTemplate.default(), config))
    return maps


@pytest.mark.parametrize(
    ("side", "n", "settings"),
    [
        (1024, 4500, {}),
        (2048, 1800, {}),
        (1500, 3000, {"smallest_scale": 10.0}),
        (1500, 3000, {"grid_spacing": 24.0}),
        (701, 2500, {"grid_spacing": 4.0}),
    ],
    ids=["1024 px", "2048 px", "narrow windows", "coarse grid", "fine grid"],
)
def test_mesh_sums_equal_direct_sums_in_large_fields(rng, monkeypatch, side, n, settings):
    """To 0.01 in S/N wherever a galaxy is within four scales; with a lens at a border and a hole."""
    x, y = rng.uniform(-0.5, side - 0.5, (2, n))
    kept = np.hypot(x - 0.6 * side, y - 0.3 * side) > 0.15 * side
    e = rng.normal(0, 0.2, n) + 1j * rng.normal(0, 0.2, n) - 0.15 * np.exp(2j * np.arctan2(y - 0.5 * side, x - 20))
    catalog = catalog_of(x[kept], y[kept], e.real[kept], e.imag[kept], shape=(side, side))
    direct, meshed = _both_ways(catalog, MeasureConfig(**settings), monkeypatch)
    known = meshed.snr != 0
    assert known.mean() > 0.5
    for name in ("snr", "snr_cross"):
        np.testing.assert_allclose(getattr(meshed, name)[known], getattr(direct, name)[known], atol=0.01)
    nearest = np.min(np.hypot(x[kept] - direct.columns[:, None], y[kept] - direct.rows[:, None, None]), axis=-1)
    assert known[nearest < 3.99 * direct.scales[:, None, None]].all()
    np.testing.assert_allclose(meshed.gamma_t[known], direct.gamma_t[known], atol=2e-3)


def test_a_mesh_is_used_for_large_fields_only(rng, monkeypatch):
    """A sky of 512 px is summed galaxy by galaxy, however many galaxies it has."""
    meshed = []
    monkeypatch.setattr(shear, "_mesh_sums", lambda galaxies, mesh, scales: meshed.append(galaxies[0].size) or None)
    monkeypatch.setattr(shear, "_direct_sums", lambda *_: None)
    for side, n in ((512, 150), (512, 50_000), (1024, 4000), (1024, 8000), (4096, 500), (4096, 3000)):
        columns = shear._grid(side, 10.0)
        shear._sums((*rng.uniform(0, side - 1, (2, n)), *np.zeros((3, n))), columns, columns, np.array([28.0, 158.0]))
    assert meshed == [8000, 3000]
