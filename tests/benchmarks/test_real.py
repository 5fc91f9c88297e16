"""Parts of the benchmark on real fields: the match with HST, correlations, and files that are missing."""

import sys

import bench_real
import numpy as np
import pytest
from real.fields import n_outside
from real.hst import HstShapes, agreement, astrometric_shift, nearest


@pytest.fixture
def e(rng):
    return 0.2 * (rng.normal(size=400) + 1j * rng.normal(size=400))


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 25.0])
def test_turned_and_rounder_ellipses_correlate_fully(e, degrees):
    found = agreement(0.5 * e * np.exp(2j * np.deg2rad(degrees)), e)
    assert found.correlation == pytest.approx(1.0)
    assert found.slope == pytest.approx(0.5)
    assert found.angle == pytest.approx(degrees)


def test_noise_lowers_the_correlation_and_has_no_direction(e, rng):
    """Noise as large as the ellipticities leaves a correlation of 1 / sqrt(2)."""
    found = agreement(e + rng.permutation(e), e)
    assert found.correlation == pytest.approx(np.sqrt(0.5), abs=4 * found.correlation_error)
    assert abs(found.angle) < 4 * found.angle_error


def test_a_shift_of_the_astrometry_is_found_among_other_sources(rng):
    x, y = rng.uniform(0, 1500, (2, 600))
    hst = HstShapes(x[:400] - 4.4, y[:400] + 3.3, np.zeros(400, dtype=complex))
    noisy = x + rng.normal(0, 0.2, x.size), y + rng.normal(0, 0.2, y.size)
    np.testing.assert_allclose(astrometric_shift(hst, *noisy), (4.4, -3.3), atol=0.1)


def test_a_source_without_a_partner_has_none():
    found = nearest(np.array([10.0, 50.0]), np.array([10.0, 50.0]), np.array([51.0, 30.0]), np.array([50.0, 30.0]), 2.5)
    assert found.tolist() == [1, -1]


def test_sources_in_a_caption_are_counted():
    columns = {"x": np.array([20.0, 100.0, 13.0]), "y": np.array([100.0, 410.0, 100.0])}
    assert n_outside(columns, (14, 785, 14, 403)) == 2


def test_without_its_files_the_benchmark_is_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_real.py", "--data", str(tmp_path)])
    monkeypatch.setattr(bench_real, "write_record", lambda *_: pytest.fail("nothing was measured"))
    bench_real.main()
    printed = capsys.readouterr().out
    assert f"skipped: {tmp_path / 'a2218.jpg'} not found" in printed
