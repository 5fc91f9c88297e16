"""The sums about every centre, against the definition; small enough for plain Python (`bench_mutations.py`)."""

import numpy as np

from darkmatter_features.maps.kernels import shear_sums

N_SCALES = 3


def test_sums_match_their_definition_galaxy_by_galaxy(rng):
    """With any weights of rows and columns, and a galaxy at a centre, which has no tangential direction."""
    n, columns, rows = 5, np.array([2.0, 9.0, 17.0]), np.array([1.0, 12.0])
    x, y, e1, e2 = rng.uniform(0, 20, (4, n))
    x[3], y[3] = columns[1], rows[0]
    v, row_weight, column_weight = rng.uniform(0.2, 2, n), rng.random((n, 2)), rng.random((n, 3))
    found = np.zeros((4, N_SCALES, rows.size, columns.size))
    shear_sums(x, y, e1, e2, v, columns, rows, row_weight, column_weight, found)
    expected = np.zeros_like(found)
    for k, s, i, j in np.ndindex(n, N_SCALES, rows.size, columns.size):
        w = (row_weight[k, i] * column_weight[k, j]) ** (2 ** (N_SCALES - 1 - s))
        phi = np.arctan2(y[k] - rows[i], x[k] - columns[j])
        gamma_t = -(e1[k] * np.cos(2 * phi) + e2[k] * np.sin(2 * phi))
        gamma_x = e1[k] * np.sin(2 * phi) - e2[k] * np.cos(2 * phi)
        is_direct = (x[k], y[k]) != (columns[j], rows[i])
        expected[:, s, i, j] += v[k] * np.array([w * gamma_t * is_direct, w * gamma_x * is_direct, w, w * w])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
