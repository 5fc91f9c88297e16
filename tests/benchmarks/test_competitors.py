"""Competitors: ellipses in the convention of darkmatter, and maps that find a planted lens."""

import numpy as np
import pytest
from competitors import catalog_quality, catalogs, plain_maps
from competitors.catalogs import COMPETITORS, Shapes

PLANTED = Shapes(np.array([40.0, 120.0, 44.0]), np.array([35.0, 60.0, 118.0]), np.array([0.3j, 0.25 - 0.2j, -0.35]))


def image_of(shapes):
    """Return elliptical Gaussians of 5 px on black, in an image that is wider than high."""
    y, x = np.mgrid[:150, :170]
    image = np.zeros(x.shape)
    for x0, y0, e in zip(*shapes, strict=True):
        along = ((x - x0) + 1j * (y - y0)) * np.exp(-0.5j * np.angle(e))
        image += 200 * np.exp(-0.5 * ((along.real * (1 - abs(e))) ** 2 + (along.imag * (1 + abs(e))) ** 2) / 25)
    return image.astype(np.float32)


@pytest.mark.parametrize("name", COMPETITORS)
def test_ellipticities_of_each_competitor_are_in_the_convention_of_darkmatter(name):
    package, work = COMPETITORS[name]
    pytest.importorskip(package)
    found = work(image_of(PLANTED), 20.0, 8)
    assert len(found.x) == 3
    truth = {"x": PLANTED.x, "y": PLANTED.y, "e1": PLANTED.e.real, "e2": PLANTED.e.imag}
    # Pixels and the cut at the threshold cost 0.01; a wrong sign or angle costs 0.4 and more.
    assert np.nanmax(catalog_quality.errors(found, truth)) < 0.02
    assert np.isfinite(catalog_quality.errors(found, truth)).all()


def test_a_missing_competitor_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(catalogs, "find_spec", lambda package: None if package == "sep" else object())
    here, lines = catalogs.installed()
    assert catalogs.SEP not in here
    assert len(here) == len(COMPETITORS) - 1
    assert lines == ["SEP is left out: install sep (pip install -c constraints.txt '.[bench]')"]


@pytest.mark.parametrize("draw", [plain_maps.numpy_map, plain_maps.treecorr_map])
def test_both_maps_peak_at_a_planted_lens(draw, rng):
    pytest.importorskip("treecorr")
    z = rng.uniform(0, 300, 250) + 1j * rng.uniform(0, 300, 250)
    from_lens = z - (200 + 90j)
    e = -0.3 * np.exp(2j * np.angle(from_lens)) * (abs(from_lens) < 120) + 0.1 * rng.normal(size=(250, 2)) @ (1, 1j)
    columns, rows = np.linspace(0, 300, 31), np.linspace(0, 280, 29)
    snr = draw(Shapes(z.real, z.imag, e), columns, rows, 50.0)
    i, j = np.unravel_index(snr.argmax(), snr.shape)
    assert abs(columns[j] - 200) <= 20
    assert abs(rows[i] - 90) <= 20
    assert snr.max() > 5


def test_only_mutual_nearest_neighbours_match():
    truth = {"x": np.array([10.0, 12.0, 50.0]), "y": np.zeros(3), "e1": np.array([0.1, 0.5, 0.2]), "e2": np.zeros(3)}
    one = Shapes(np.array([10.4]), np.zeros(1), np.array([0.1 + 0.3j]))
    np.testing.assert_allclose(catalog_quality.errors(one, truth), [0.3, np.nan, np.nan])
    summary = catalog_quality.summary({"one": [catalog_quality.errors(one, truth)], "all": [np.array([0.1, 0.1, 0.1])]})
    assert summary["one"]["completeness"] == pytest.approx(1 / 3)
    assert summary["all"]["rms_found_by_all"] == pytest.approx(0.1)
