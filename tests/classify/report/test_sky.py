"""The data of one sky: its profile, its coordinates, its galaxies, and the maps of images with noise."""

import base64
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from classify.report import sky as module
from classify.report.page import to_json
from classify.report.sky import SkyTask, describe_sky, radial_profile, sky_image
from classify.report.view import site_of_skies
from classify.report.world import encoded_world
from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.simulation.survey import survey_sky
from tests.classify.report.conftest import IMAGES, point, shown, until
from tests.classify.report.test_server import served
from tests.support.drawing import lensed_catalog
from tests.support.synthetic import draw_sky

SIDE = 256


def wcs_of(*, ra=0.02, dec=63.0, scale=20.0, angle=30.0, distorted=False):
    """Return the WCS of a field that the meridian of RA 0 crosses; `scale` in arcsec a pixel."""
    wcs = WCS(naxis=2)
    suffix = "-SIP" if distorted else ""
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [100.0, 40.0]
    c, s = np.cos(np.radians(angle)) * scale / 3600, np.sin(np.radians(angle)) * scale / 3600
    wcs.wcs.cd = [[-c, s], [s, c]]
    if distorted:
        from astropy.wcs import Sip

        a = np.zeros((3, 3))
        a[2, 0], a[1, 1] = 2e-5, -1e-5
        wcs.sip = Sip(a, a.T.copy(), None, None, wcs.wcs.crpix)
    return wcs


def read_world(world, row, column):
    """Return RA and Dec as the page computes them: bilinear in xi and eta, then from the tangent plane."""
    shape = (len(world["rows"]), len(world["columns"]))
    planes = [np.reshape(world[name], shape) for name in ("xi", "eta")]
    i, u = divmod(row / world["rows"][1], 1)
    j, v = divmod(column / world["columns"][1], 1)
    i, j = int(i), int(j)
    xi, eta = (
        np.radians(np.array([1 - u, u]) @ plane[i : i + 2, j : j + 2] @ np.array([1 - v, v]) / 3600) for plane in planes
    )
    sin, cos = np.sin(np.radians(world["dec"])), np.cos(np.radians(world["dec"]))
    ra = world["ra"] + np.degrees(np.arctan2(xi, cos - eta * sin))
    return ra % 360, np.degrees(np.arctan2(sin + eta * cos, np.hypot(xi, cos - eta * sin)))


@pytest.mark.parametrize("dec", [0.0, 63.0, -89.0])
@pytest.mark.parametrize("distorted", [False, True])
def test_coordinates_are_those_of_the_wcs_to_a_hundredth_of_the_seeing(rng, dec, distorted):
    wcs = wcs_of(dec=dec, distorted=distorted)
    world = json.loads(to_json(encoded_world(wcs, (SIDE, 2 * SIDE))))
    for row, column in zip(rng.uniform(0, SIDE - 1, 50), rng.uniform(0, 2 * SIDE - 1, 50), strict=True):
        ra, dec_at = wcs.all_pix2world(column, row, 0)
        found = read_world(world, row, column)
        across = (found[0] - ra + 180) % 360 - 180
        assert np.hypot(across * np.cos(np.radians(dec_at)), found[1] - dec_at) * 3600 < 0.03


def test_a_sky_without_coordinates_has_no_table():
    assert encoded_world(None, (SIDE, SIDE)) is None


def test_the_profile_recovers_a_planted_shear_and_no_cross_shear(rng):
    catalog = lensed_catalog(rng, n=4000, centre=(300.0, 200.0), gamma=0.1, scatter=0.2)
    profile = radial_profile(PreparedCatalog(catalog), 200.0, 300.0)
    gamma_t, gamma_x, error = (np.array(profile[name]) for name in ("gamma_t", "gamma_x", "error"))
    assert sum(profile["n"]) <= 4000
    assert np.all(np.diff(profile["radius"]) > 0)
    assert np.all(np.abs(gamma_t - 0.1) < 4 * error + 0.01)
    assert np.sum((gamma_x / error) ** 2) < 25.0  # 7 annuli, chi squared below 25 at 99.9 %


RED = """() => {
    const canvas = document.querySelector(".stage canvas");
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const row = (i) => Array.from({ length: width }, (_, j) => data[4 * (i * width + j)]);
    return Array.from({ length: height }, (_, i) => row(i));
}"""
"""Red of the pixels of the first panel, row by row."""


def test_the_image_and_the_ellipses_agree_to_a_fraction_of_a_pixel(tmp_path, rng, visit):
    """An image of 1025 px is drawn in blocks of 3 px, which leave its last 2 px out."""
    side, spot = 1025, 1000.0
    pixels = np.zeros((side, side), np.uint8)
    pixels[:SIDE, :SIDE] = np.asarray(
        Image.open(draw_sky(tmp_path / "galaxies.png", rng)).convert("L").resize((SIDE, SIDE))
    )
    pixels[int(spot) - 6 : int(spot) + 7, int(spot) - 6 : int(spot) + 7] = 255
    Image.fromarray(pixels).save(tmp_path / "sky.png")
    with served(site_of_skies([tmp_path / "sky.png"])) as port:
        tab = visit(f"http://127.0.0.1:{port}/")
        tab.locator(".tile").click()
        shown(tab)
        tab.keyboard.press("e")
        light = np.array(tab.evaluate(RED), dtype=np.float64)
    scale = light.shape[1] / side
    corner = np.where(light[-60:, -60:] > 40, light[-60:, -60:], 0)
    rows, columns = (np.arange(n - 60, n) + 0.5 for n in light.shape)
    found = (corner.sum(1) @ rows / corner.sum(), corner.sum(0) @ columns / corner.sum())
    assert np.array(found) / scale - 0.5 == pytest.approx(spot, abs=0.8)  # it was 2 px off


def test_of_many_galaxies_the_brightest_are_kept_and_all_are_counted(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(module, "MAX_GALAXIES", 10)
    path = draw_sky(tmp_path / "sky.png", rng)
    galaxies = describe_sky(SkyTask(path, None, MeasureConfig(), None))["galaxies"]
    assert galaxies["shown"] == 10 < galaxies["n"]
    assert len(base64.b64decode(galaxies["x"]["data"])) == 20


def test_galaxies_that_were_measured_before_give_the_same_data(tmp_path, rng):
    path, template = draw_sky(tmp_path / "sky.png", rng), CompiledTemplate(LensTemplate.default())
    catalog = measure(read_sky(path))
    tasks = (SkyTask(path, known, MeasureConfig(), template) for known in (catalog, None))
    first, second = map(describe_sky, tasks)
    assert to_json(first) == to_json(second)


def test_without_a_template_the_maps_have_the_name_of_their_window(tmp_path, rng):
    path = draw_sky(tmp_path / "sky.png", rng)
    assert describe_sky(SkyTask(path, None, MeasureConfig(), None))["filter"].startswith("Gaussian window of ")
    template = CompiledTemplate(LensTemplate.default())
    assert describe_sky(SkyTask(path, None, MeasureConfig(), template))["filter"] == "matched filter"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("n_bands", [1, 3])
def test_images_of_any_kind_are_drawn(rng, dtype, n_bands):
    pixels = rng.uniform(0, 200, (70, 700, n_bands)).astype(dtype)
    kind, data = sky_image(Sky("sky", pixels, mask=rng.random((70, 700)) < 0.1))
    assert kind == "image/webp"
    assert base64.b64decode(data)[8:12] == b"WEBP"


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Return a FITS image with noise and a WCS."""
    path = tmp_path_factory.mktemp("field") / "field.fits"
    fits.writeto(path, np.squeeze(survey_sky(np.random.default_rng(3)).pixels), wcs_of(scale=0.2).to_header())
    return path


def test_an_image_with_noise_unlike_the_training_skies_has_maps_of_its_own(field):
    template = CompiledTemplate(LensTemplate.default())
    own = describe_sky(SkyTask(field, None, MeasureConfig(), template, is_unlike=True))
    assert own["filter"].startswith("Gaussian window of ")


def test_the_page_of_an_image_reads_right_ascension_and_declination(field, visit):
    with served(site_of_skies([field])) as port:
        tab = visit(f"http://127.0.0.1:{port}/")
        tab.locator(".tile").click()
        shown(tab)
        box = tab.locator(".stage").first.bounding_box()
        point(tab, box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
        read = {
            name: float(tab.locator(f'[data-value="{name}"] b').inner_text().replace("−", "-").strip("°"))
            for name in ("row", "column", "RA", "Dec")
        }
        ra, dec = read_sky(field).wcs.all_pix2world(read["column"], read["row"], 0)
        assert read["RA"] == pytest.approx(float(ra), abs=2e-5)
        assert read["Dec"] == pytest.approx(float(dec), abs=1e-5)
        assert tab.locator("#verdict .big").inner_text() == "Not judged"
        tab.keyboard.press("Escape")
        until(tab, IMAGES)
