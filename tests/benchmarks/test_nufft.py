"""Sums by the mesh of the project and by a non-uniform FFT, against direct sums."""

import bench_nufft
import numpy as np
import pytest

from darkmatter_features.numerics.mesh import mesh_over


def test_missing_finufft_is_reported_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench_nufft.py"])
    monkeypatch.setattr(bench_nufft, "find_spec", lambda name: None)
    bench_nufft.main()
    assert capsys.readouterr().out == "skipped: finufft is not installed; pip install finufft\n"


def test_both_transforms_give_the_direct_sums(rng):
    pytest.importorskip("finufft")
    x, y = rng.uniform(0, 1000, (2, 300))
    e = 0.2 * (rng.normal(size=300) + 1j * rng.normal(size=300))
    columns, rows, scales = np.linspace(0, 1000, 41), np.linspace(50, 950, 31), np.array([90.0, 140.0])
    mesh = mesh_over(columns, rows, x, y, reach=7 * scales[-1])
    exact = bench_nufft.direct_sums(mesh, scales, x + 1j * y, e, columns[[3, 20, 38]] + 1j * rows[[30, 0, 17]])
    for transform in (bench_nufft.spline_transform(mesh, x, y), bench_nufft.nufft_transform(mesh, x, y, 1e-6)):
        sums = bench_nufft.window_sums(mesh, scales, e, transform)[:, :, [30, 0, 17], [3, 20, 38]]
        assert max(bench_nufft.errors(sums, exact).values()) < 1e-5
