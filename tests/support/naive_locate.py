"""Slow, obvious twins of the kernels behind `locate`."""

import numpy as np
from scipy.special import logsumexp


def polar(x, y, column, row):
    return np.hypot(x - column, y - row), np.arctan2(y - row, x - column)


def shear_at(shear, step, radius):
    """Of each profile (n_nodes, n_profiles) at radii (n,): (n, n_profiles)."""
    nodes = np.arange(len(shear)) * step
    return np.stack([np.interp(radius, nodes, profile) for profile in shear.T], axis=1)


def profile_sums(x, y, e1, e2, weight, shear, step, columns, rows):
    filter_response, filter_norm = [], []
    for column, row in zip(columns, rows):
        radius, phi = polar(x, y, column, row)
        g = shear_at(shear, step, radius)
        gamma_t = -(e1 * np.cos(2 * phi)[:, None] + e2 * np.sin(2 * phi)[:, None])
        filter_response.append([(weight[:, None] * g * sky[:, None]).sum(axis=0) for sky in gamma_t.T])
        filter_norm.append((weight[:, None] * g**2).sum(axis=0))
    return np.array(filter_response), np.array(filter_norm)


def log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes):
    values = amplitudes * filter_response[:, :, :, None] - 0.5 * amplitudes**2 * filter_norm[:, None, :, None]
    return logsumexp(values, axis=(2, 3)) - np.log(amplitudes.size)


def log_likelihood(x, y, e1, e2, share, variance, g, phi):
    """Of ellipticities under a tangential shear g, over that without; undone in the frame of x and y."""
    e = e1 + 1j * e2
    shear = -g * np.exp(2j * phi)
    source = (e - shear) / (1 - np.conj(shear) * e)
    jacobian = ((1 - np.abs(shear) ** 2) / np.abs(1 - np.conj(shear) * e) ** 2) ** 2
    return (share * ((np.abs(e) ** 2 - np.abs(source) ** 2) / (2 * variance) + np.log(jacobian))).sum()


def profile_likelihood(x, y, e1, e2, share, variance, shear, step, amplitudes, columns, rows, most):
    out = np.empty((len(columns), *amplitudes.shape))
    for q, (column, row) in enumerate(zip(columns, rows)):
        radius, phi = polar(x, y, column, row)
        profiles = shear_at(shear, step, radius)
        for p, a in np.ndindex(*amplitudes.shape):
            g = np.minimum(amplitudes[p, a] * profiles[:, p], most)
            out[q, p, a] = log_likelihood(x, y, e1, e2, share, variance, g, phi)
    return out


def excess(odds, scrambled):
    mean = sum(scrambled) / len(scrambled)
    return (odds - mean) / (sum((each - mean) ** 2 for each in scrambled) / (len(scrambled) - 1)) ** 0.5
