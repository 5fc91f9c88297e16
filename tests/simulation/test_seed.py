"""Simulated data sets: their files, which do not depend on the number of jobs, and the published statistics."""

import hashlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from scipy import ndimage

from darkmatter_features.errors import ConfigError, DatasetError
from darkmatter_features.io.truth import read_galaxy_truth
from darkmatter_features.simulation import simulate_dataset, write
from darkmatter_features.simulation.seed import seed_sky


def digests(root: Path) -> dict[str, str]:
    """Return the hashes of all files by their paths."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    simulate_dataset(root, n_training=5, n_validation=2, seed=3, n_jobs=1)
    return root


def test_layout_is_complete(small):
    names = set(digests(small))
    assert {"training/training-00004.png", "validation/validation-00001.png", "truth/training-00000.csv"} <= names
    assert {"training-labels.csv", "training-lenses.csv", "validation-labels.csv", "truth/skies.csv"} <= names


def test_labels_lenses_and_truth_agree(small):
    labels = np.loadtxt(small / "training-labels.csv", delimiter=",", skiprows=1)[:, 1]
    lenses = np.loadtxt(small / "training-lenses.csv", delimiter=",", skiprows=1, ndmin=2)
    truth = np.genfromtxt(small / "truth" / "skies.csv", delimiter=",", skip_header=1)[:5, 1:]
    assert set(labels) == {0.0, 1.0}
    np.testing.assert_array_equal(np.flatnonzero(labels), lenses[:, 0])
    np.testing.assert_array_equal(labels == 1, np.isfinite(truth[:, 2]))
    np.testing.assert_allclose(truth[labels == 1, :2], lenses[:, 1:], atol=1e-3)


def test_killed_run_continues_where_it_stopped(small, tmp_path, monkeypatch):
    drawn = []

    def until_killed(rng):
        drawn.append(rng)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return seed_sky(rng)

    monkeypatch.setitem(write.PRESETS, "seed", write.Preset("seed", until_killed, ".png"))
    with pytest.raises(KeyboardInterrupt):
        simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=3, n_jobs=1)
    assert not (tmp_path / "training-labels.csv").exists()
    simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=3, n_jobs=1)
    assert len(drawn) == 4 + 7 - 3
    assert digests(tmp_path) == digests(small)


def test_killed_run_of_another_seed_leaves_no_lens(small, tmp_path, monkeypatch):
    """A run is killed, replaced by one of another seed, and repeated: images and labels are those of its own seed."""
    write_image = write._write_image

    def until_killed(path, sky):
        if path.name.startswith(".training-00002"):
            raise KeyboardInterrupt
        write_image(path, sky)

    monkeypatch.setattr(write, "_write_image", until_killed)
    with pytest.raises(KeyboardInterrupt):
        simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=3, n_jobs=1)
    monkeypatch.undo()
    for seed in (4, 3):
        simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=seed, n_jobs=1)
    assert digests(tmp_path) == digests(small)


def test_a_partly_written_image_of_a_killed_run_is_replaced(small, tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / ".training-00000.png.123.tmp").write_bytes(b"half")
    simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=3, n_jobs=1)
    assert digests(tmp_path) == digests(small)


def test_same_seed_gives_the_same_bytes_at_any_number_of_jobs(small, tmp_path):
    simulate_dataset(tmp_path, n_training=5, n_validation=2, seed=3, n_jobs=2)
    assert digests(tmp_path) == digests(small)


def test_a_sky_depends_on_the_seed_and_not_on_the_size_of_the_data_set(small, tmp_path):
    simulate_dataset(tmp_path / "same", n_training=2, n_validation=0, seed=3, n_jobs=1)
    simulate_dataset(tmp_path / "other", n_training=2, n_validation=0, seed=4, n_jobs=1)
    name = "training/training-00001.png"
    assert digests(tmp_path / "same")[name] == digests(small)[name] != digests(tmp_path / "other")[name]


def test_progress_counts_every_sky(tmp_path):
    calls = []
    simulate_dataset(tmp_path, n_training=2, n_validation=1, n_jobs=1, progress=lambda *done: calls.append(done))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_unknown_preset_no_skies_and_a_negative_seed_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="seed, survey"):
        simulate_dataset(tmp_path, preset="hubble")
    with pytest.raises(ConfigError, match="at least one sky"):
        simulate_dataset(tmp_path, n_training=0, n_validation=0)
    with pytest.raises(ConfigError, match="-1 training"):
        simulate_dataset(tmp_path, n_training=-1)
    with pytest.raises(ConfigError, match="seed must be 0 or more, got -5"):
        simulate_dataset(tmp_path, seed=-5)


def test_images_of_a_larger_data_set_are_not_mixed_with_new_ones(small):
    before = digests(small)
    with pytest.raises(DatasetError, match=r"training-0000[2-4]\.png"):
        simulate_dataset(small, n_training=2, n_validation=2, seed=3, n_jobs=1)
    assert digests(small) == before


@pytest.mark.parametrize(("folder", "layout"), [("train", 2), ("test", 2), ("train_images", 3), ("test_images", 3)])
def test_a_data_set_in_another_layout_is_not_hidden(tmp_path, folder, layout):
    (tmp_path / folder).mkdir()
    simulate_dataset(tmp_path / "beside", n_training=1, n_validation=0, n_jobs=1)
    (tmp_path / folder / "a.PNG").write_bytes(b"an image")
    before = digests(tmp_path)
    with pytest.raises(DatasetError) as refused:
        simulate_dataset(tmp_path, n_training=1, n_validation=1, n_jobs=1)
    message = (
        f"{tmp_path} already holds a data set in layout {layout}: {folder}/a.PNG; remove it or choose another folder"
    )
    assert str(refused.value) == message
    assert digests(tmp_path) == before
    assert not (tmp_path / "training").exists()


def test_truth_lies_on_light(small):
    """At nine of ten true centroids the image is bright: some lie between dark arms, and faint galaxies fade."""
    image = np.asarray(Image.open(small / "training" / "training-00000.png")).max(axis=2)
    truth = read_galaxy_truth(small, small / "training" / "training-00000.png")
    lit = image[np.rint(truth["y"]).astype(int), np.rint(truth["x"]).astype(int)] > 20
    assert len(lit) > 120
    assert lit.mean() > 0.9


def test_survey_world_coordinates_round_trip(tmp_path):
    simulate_dataset(tmp_path, n_training=1, n_validation=0, preset="survey", n_jobs=1)
    with fits.open(tmp_path / "training" / "training-00000.fits") as hdus:
        pixels, wcs = np.asarray(hdus[0].data), WCS(hdus[0].header)
    assert (pixels.shape, pixels.dtype.itemsize, pixels.dtype.kind) == ((512, 512), 4, "f")
    x, y = np.array([0.0, 100.0, 511.0]), np.array([0.0, 400.0, 511.0])
    sky = wcs.pixel_to_world(x, y)
    np.testing.assert_allclose(wcs.world_to_pixel(sky), (x, y), atol=1e-6)
    assert sky[0].separation(sky[2]).arcsec == pytest.approx(np.hypot(511, 511) * 0.263, rel=1e-3)


# --- Statistics of the two published full skies, by a simple measurement; others: tests/benchmarks/test_realism.py


def crude_segments(pixels):
    """Return position and ellipticity (4, n) of the connected segments of 8 px or more above 20/255."""
    bright = pixels.max(axis=2)
    labels, n = ndimage.label(bright > 20)
    y, x = np.nonzero(labels)
    owner, flux = labels[y, x] - 1, bright[y, x].astype(float)
    total = np.bincount(owner, flux, n)
    cx, cy = np.bincount(owner, flux * x, n) / total, np.bincount(owner, flux * y, n) / total
    dx, dy = x - cx[owner], y - cy[owner]
    xx, yy, xy = (np.bincount(owner, flux * q, n) / total for q in (dx * dx, dy * dy, dx * dy))
    size = xx + yy + 2 * np.sqrt(np.maximum(xx * yy - xy**2, 0))
    keep = (np.bincount(owner, minlength=n) >= 8) & (size > 0)
    return np.array([cx, cy, (xx - yy) / np.maximum(size, 1e-9), 2 * xy / np.maximum(size, 1e-9)])[:, keep]


@pytest.fixture(scope="module")
def forty():
    """Forty skies and their segments."""
    skies = [seed_sky(np.random.default_rng((17, i))) for i in range(40)]
    return [(sky, crude_segments(sky.pixels)) for sky in skies]


def test_mean_and_scatter_of_the_ellipticities_are_the_published_ones(forty):
    """The mean e1 is 0.07 to 0.08, the mean e2 0 and the scatter 0.21 to 0.23; 5,400 segments give means to 0.003."""
    _, _, e1, e2 = np.hstack([found for _, found in forty])
    assert e1.mean() == pytest.approx(0.075, abs=0.014)
    assert e2.mean() == pytest.approx(0.0, abs=0.009)
    assert np.sqrt(0.5 * (e1.var() + e2.var())) == pytest.approx(0.22, abs=0.015)


def test_mean_e1_is_the_same_with_and_without_a_lens(forty):
    """The error of the difference is 0.006 with 2,700 segments on each side."""
    with_lens, without = (
        np.hstack([found for sky, found in forty if sky.lensed == has])[2].mean() for has in (True, False)
    )
    assert with_lens == pytest.approx(without, abs=0.02)


def test_background_is_black_and_segments_have_the_published_areas(forty):
    """The two full skies have 165 segments on average; 10.7 % of their pixels are above 0, 6.34 % above 20."""
    bright = np.array([sky.pixels.max(axis=2) for sky, _ in forty])
    n = sum(found.shape[1] for _, found in forty)
    assert (bright == 0).mean() > 0.85
    assert (bright > 0).sum() / n == pytest.approx(0.107 * 512**2 / 165, rel=0.11)
    assert (bright > 20).sum() / n == pytest.approx(0.0634 * 512**2 / 165, rel=0.12)


def test_cross_shear_vanishes_and_there_is_no_shear_beyond_the_halo(forty):
    """The errors of the bins follow from the shape noise of 0.22; there are about 20 lenses."""
    edges, is_sheared = (30, 90, 180, 250, 350, 500), (True, True, True, False, False)
    rows = []
    for sky, (x, y, e1, e2) in ((sky, found) for sky, found in forty if sky.lensed):
        dx, dy = x - sky.lens_column, y - sky.lens_row
        phi = np.arctan2(dy, dx)
        e = (e1 - 0.077 + 1j * e2) * np.exp(-2j * phi)
        rows.append((np.hypot(dx, dy), -e.real, -e.imag))
    r, gamma_t, gamma_x = np.hstack(rows)
    for (inner, outer), expected in zip(pairwise(edges), is_sheared):
        inside = (r >= inner) & (r < outer)
        error = 0.22 / np.sqrt(inside.sum())
        assert (gamma_t[inside].mean() > 4 * error) == expected
        assert gamma_x[inside].mean() == pytest.approx(0.0, abs=3.5 * error)


def test_density_of_galaxies_falls_near_a_lens_and_not_beyond(forty):
    near, wide, expected_near, expected_wide = 0, 0, 0.0, 0.0
    rows, columns = np.indices((512, 512))
    for sky, (x, y, _, _) in ((sky, found) for sky, found in forty if sky.lensed):
        r = np.hypot(x - sky.lens_column, y - sky.lens_row)
        area = np.hypot(columns - sky.lens_column, rows - sky.lens_row)
        near, wide = near + (r < 40).sum(), wide + ((r > 60) & (r < 250)).sum()
        expected_near += len(r) * (area < 40).mean()
        expected_wide += len(r) * ((area > 60) & (area < 250)).mean()
    assert near / expected_near < 0.7
    assert wide / expected_wide == pytest.approx(1.02, abs=0.09)


def test_missing_galsim_is_reported_with_the_remedy():
    code = "import sys; sys.modules['galsim'] = None; from classify.cli import main; sys.exit(main(['simulate']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "darkmatter: GalSim, which draws the skies, is missing; install it: pip install 'darkmatter-lensing[sim]'\n"
    )
