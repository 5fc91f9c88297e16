"""Slow, obvious twins of the compiled kernels: NumPy and plain Python, one thought a line."""

from itertools import pairwise

import numpy as np
from scipy.interpolate import BSpline, RegularGridInterpolator


def brightest_band(pixels, background):
    """Return the largest band above its background, or 0, in a margin of 0."""
    return np.pad(np.maximum(pixels.astype(float) - background, 0).max(axis=2), 1)


def connected_segments(image, threshold, n_pixels):
    """Return segments as sorted lists of (row, column), in the order of their first pixels."""
    foreground = {(int(i), int(j)) for i, j in np.argwhere(image > threshold)}
    segments = []
    while foreground:
        start = min(foreground)
        foreground.remove(start)
        segment, frontier = [start], [start]
        while frontier:
            neighbours = _neighbours(frontier.pop()) & foreground
            foreground -= neighbours
            segment += neighbours
            frontier += neighbours
        if len(segment) >= n_pixels:
            segments.append(sorted(segment))
    return segments


def dilate_segments(image, threshold, n_rings, segments):
    """Return segments after `n_rings` steps to pixels above a threshold, each list in the order of addition.

    A pixel goes to the segment of the neighbour that was listed first. The list starts with the given segments; each
    step appends the new pixels in the order of these neighbours, those of one neighbour sorted by row and column.
    """
    listed = {pixel: k for k, segment in enumerate(segments) for pixel in segment}
    free = {(int(i), int(j)) for i, j in np.argwhere(image > threshold)} - listed.keys()
    for _ in range(n_rings):
        order = {pixel: rank for rank, pixel in enumerate(listed)}
        reached = {pixel: _neighbours(pixel) & order.keys() for pixel in free}
        first = {pixel: min(near, key=order.get) for pixel, near in reached.items() if near}
        listed |= {pixel: listed[first[pixel]] for pixel in sorted(first, key=lambda p: (order[first[p]], p))}
        free -= first.keys()
    return [[pixel for pixel, owner in listed.items() if owner == k] for k in range(len(segments))]


def _neighbours(pixel):
    """Return the eight neighbours of a pixel, and the pixel."""
    return {(pixel[0] + di, pixel[1] + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)}


def footprint_moments(starts, pixels, flux, n_columns):
    moments = []
    for start, stop in pairwise(starts):
        f, x, y = flux[start:stop], pixels[start:stop] % n_columns, pixels[start:stop] // n_columns
        dx, dy = x - np.average(x, weights=f), y - np.average(y, weights=f)
        q = [np.average(product, weights=f) for product in (dx * dx, dy * dy, dx * dy)]
        moments.append([f.sum(), np.average(x, weights=f), np.average(y, weights=f), *q, f.sum() ** 2 / (f**2).sum()])
    return np.array(moments)


def footprint_extents(starts, pixels, n_columns):
    positions = [divmod(pixels[start:stop], n_columns) for start, stop in pairwise(starts)]
    return np.array([(y.min(), y.max(), x.min(), x.max()) for y, x in positions])


def shear_sums(x, y, e1, e2, weight, columns, rows, scales):
    sums = np.zeros((4, len(scales), len(rows), len(columns)))
    for s, scale in enumerate(scales):
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                phi = np.arctan2(y - row, x - column)
                window = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * scale**2))
                gamma_t = -(e1 * np.cos(2 * phi) + e2 * np.sin(2 * phi))
                gamma_x = e1 * np.sin(2 * phi) - e2 * np.cos(2 * phi)
                terms = (window * gamma_t, window * gamma_x, window, window**2)
                sums[:, s, i, j] = [(term * weight).sum() for term in terms]
    return sums


def matched_filter(catalog, template, step, rows, columns):
    """S/N of tangential and cross shear about every centre, of the mean profile, zero a step beyond its last node."""
    shape_bin = template.shape_bins(catalog)
    e1, e2 = catalog.e1 - template.mean_e1[shape_bin], catalog.e2 - template.mean_e2[shape_bin]
    v = template.sigma_e[shape_bin] ** -2.0
    mean = sum(weight.sum() * shear for weight, shear in zip(template.weights, template.shear_profile, strict=True))
    profile = np.append(mean, 0.0)
    snr = np.zeros((2, len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            dx, dy = catalog.x - column, catalog.y - row
            g = np.interp(np.hypot(dx, dy), step * np.arange(profile.size), profile)
            phi = np.arctan2(dy, dx)
            gamma_t = -(e1 * np.cos(2 * phi) + e2 * np.sin(2 * phi))
            gamma_x = e1 * np.sin(2 * phi) - e2 * np.cos(2 * phi)
            snr[:, i, j] = [(v * g * gamma).sum() / np.sqrt((v * g**2).sum()) for gamma in (gamma_t, gamma_x)]
    return snr


def color_residual(values):
    color = values.sum(axis=0) / values.sum()
    return np.sqrt(np.mean((values - values.sum(axis=1, keepdims=True) * color) ** 2))


def find_colors(values, rows, columns, noise, separation, *, noise_radius, min_core_pixels, n_shifts, max_colors):
    """Return the colours that recur in a compact patch, the most frequent first, and the patch of every pixel."""
    totals = values.sum(axis=1)

    def near(color):
        return np.abs(values - totals[:, None] * color).max(axis=1) <= noise_radius * noise

    def mean_color(members):
        return values[members].sum(axis=0) / values[members].sum()

    candidates, is_covered = [], np.zeros(totals.size, dtype=bool)
    for p in range(totals.size):
        if is_covered[p] or noise_radius * noise > separation * totals[p]:
            continue
        color = values[p] / totals[p]
        for _ in range(n_shifts):
            n = near(color).sum()
            color = mean_color(near(color)) if n else color
        is_covered |= near(color)
        if n >= min_core_pixels:
            candidates.append((n, color))
    candidates.sort(key=lambda candidate: -candidate[0])
    colors, patch = [], np.zeros(totals.size, dtype=int)
    for _, color in candidates:
        is_apart = all(np.abs(color - other).max() >= separation for other in colors)
        members = near(color) & (patch == 0)
        if len(colors) == max_colors or not is_apart or members.sum() < min_core_pixels:
            continue
        color = mean_color(members)
        members = near(color) & (patch == 0)
        around = [
            (members & (abs(rows - i) <= 1) & (abs(columns - j) <= 1)).sum()
            for i, j in zip(rows[members], columns[members], strict=True)
        ]
        if max(around, default=0) >= min_core_pixels:
            colors.append(color)
            patch[members] = len(colors)
    return np.array(colors), patch


def two_fluxes(value, a, b):
    deblended, *_ = np.linalg.lstsq(np.column_stack([a, b]), value, rcond=None)
    return *deblended, ((value - np.column_stack([a, b]) @ deblended) ** 2).sum()


def deblend_flux(values, rows, columns, colors, patch, scale, radius):
    """Return each galaxy's flux: mixed pixels go to the galaxy, or the pair, of least distance plus misfit."""
    deblended = np.zeros((len(values), len(colors)))
    for p, value in enumerate(values):
        if patch[p] > 0:
            deblended[p, patch[p] - 1] = value.sum()
            continue
        distance = np.full(len(colors), np.inf)
        for q in range(len(values)):
            near = max(abs(rows[q] - rows[p]), abs(columns[q] - columns[p])) <= radius
            if patch[q] > 0 and near:
                k = patch[q] - 1
                distance[k] = min(distance[k], np.hypot(rows[q] - rows[p], columns[q] - columns[p]))
        choices = []
        for a in range(len(colors)):
            flux = value @ colors[a] / (colors[a] @ colors[a])
            cost = 2 * distance[a] + ((value - flux * colors[a]) ** 2).sum() / scale**2
            choices.append((cost, {a: value.sum()}))
            for b in range(a + 1, len(colors)):
                flux_a, flux_b, squares = two_fluxes(value, colors[a], colors[b])
                if flux_a > 0 and flux_b > 0:
                    choices.append((distance[a] + distance[b] + squares / scale**2, {a: flux_a, b: flux_b}))
        cost, best = min(choices, key=lambda choice: choice[0])
        for k, flux in best.items() if np.isfinite(cost) else ():
            deblended[p, k] = flux
    return deblended


def fill_by_symmetry(rows, columns, noise, visible, occlusion_cost):
    """Return the flux with covered pixels filled from opposite, about the centre of least asymmetry, in half pixels."""
    at = {(int(i), int(j)): p for p, (i, j) in enumerate(zip(rows, columns, strict=True))}

    def opposite(p, centre):
        return at.get((centre[0] - int(rows[p]), centre[1] - int(columns[p])))

    def asymmetry(centre):
        cost = 0.0
        for p in np.flatnonzero(visible > noise):
            q = opposite(p, centre)
            is_covered = q is not None and visible[q] <= noise
            cost += occlusion_cost * visible[p] if is_covered else abs(visible[p] - (0.0 if q is None else visible[q]))
        return cost

    here = tuple(int(np.rint(2 * np.average(at_axis, weights=visible))) for at_axis in (rows, columns))
    while True:
        around = [(here[0] + di, here[1] + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)]
        best = min(around, key=asymmetry)
        if asymmetry(best) >= asymmetry(here):
            break
        here = best
    opposites = [opposite(p, here) for p in range(len(visible))]
    return [visible[q] if visible[p] <= noise and q is not None else visible[p] for p, q in enumerate(opposites)]


def split_saddles(brightness, rows, columns, contrast, depth, n_pixels):
    """Return the basins of the peaks. Pixels are taken by falling brightness; shallow or small basins are merged."""
    at = {(int(i), int(j)): p for p, (i, j) in enumerate(zip(rows, columns, strict=True))}
    basins = []  # each a set of pixels and its peak
    for p in np.argsort(-brightness, kind="stable"):
        around = {at.get((rows[p] + di, columns[p] + dj)) for di in (-1, 0, 1) for dj in (-1, 0, 1)}
        meeting = [basin for basin in basins if basin["pixels"] & around]
        if not meeting:
            basins.append({"peak": brightness[p], "pixels": {int(p)}})
            continue
        highest = max(meeting, key=lambda basin: basin["peak"])
        for basin in meeting:
            is_shallow = basin["peak"] - brightness[p] < max(contrast * basin["peak"], depth)
            if basin is not highest and (len(basin["pixels"]) < n_pixels or is_shallow):
                highest["pixels"] |= basin["pixels"]
                basins = [other for other in basins if other is not basin]
        highest["pixels"].add(int(p))
    return sorted(sorted(basin["pixels"]) for basin in basins)


def log_ratio(table, kind, e, g):
    """Of p0(e_s) |de_s/de|^2 over p0(e); complex e and g."""
    nodes = np.linspace(-1, 1, table.shape[1])
    density = RegularGridInterpolator((nodes, nodes), table[kind])
    unlensed = (e - g) / (1 - np.conj(g) * e)
    jacobian = (1 - abs(g) ** 2) ** 2 / abs(1 - np.conj(g) * e) ** 4
    return (density((unlensed.real, unlensed.imag)) - density((e.real, e.imag)) + np.log(jacobian)).item()


def lens_likelihood(catalog, kind, template, step, row, column, *, degrees=0.0):
    """Log ratio of all galaxies for a lens at a place, (n_profiles, n_amplitudes), its shear turned on the sky."""
    turn = np.exp(2j * np.radians(degrees))
    total = np.zeros(template.weights.shape)
    nodes = step * np.arange(template.shear_profile.shape[1])
    for p, a in np.ndindex(total.shape):
        for k in range(len(catalog)):
            dx, dy = catalog.x[k] - column, catalog.y[k] - row
            radius = np.hypot(dx, dy)
            size = np.interp(radius, nodes, template.shear_profile[p], right=0.0)
            size *= template.amplitudes[a] ** np.interp(radius, nodes, template.amplitude_exponent[p])
            g = -template.response[kind[k]] * size * np.exp(2j * np.arctan2(dy, dx)) * turn
            total[p, a] += log_ratio(template.log_p0, kind[k], catalog.e1[k] + 1j * catalog.e2[k], g)
    return total


def spread(x, y, values, shape, order):
    """Shares of B-splines, by SciPy, centred at points of a periodic mesh."""
    spline = BSpline.basis_element(np.arange(order + 1) - order / 2, extrapolate=False)
    mesh = np.zeros(shape, dtype=complex)
    for k, value in enumerate(values):
        for i in range(-25, 45):
            for j in range(-25, 45):
                share = spline(x[k] - j) * spline(y[k] - i)
                mesh[i % shape[0], j % shape[1]] += 0 if np.isnan(share) else value * share
    return mesh
