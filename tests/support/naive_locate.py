"""Slow, obvious twins of the kernels behind `locate`."""

import numpy as np
from scipy.special import logsumexp


def polar(x, y, column, row):
    """Return distance from and position angle about a centre."""
    return np.hypot(x - column, y - row), np.arctan2(y - row, x - column)


def shear_at(shear, spacing, radius):
    """Return each profile (n_nodes, n_profiles) at radii (n,): (n, n_profiles)."""
    nodes = np.arange(len(shear)) * spacing
    return np.stack([np.interp(radius, nodes, profile) for profile in shear.T], axis=1)


def profile_sums(x, y, e1, e2, weight, shear, spacing, columns, rows):
    """Return the sums of the matched filter about each centre."""
    filter_response, filter_norm = [], []
    for column, row in zip(columns, rows):
        radius, phi = polar(x, y, column, row)
        g = shear_at(shear, spacing, radius)
        gamma_t = -(e1 * np.cos(2 * phi)[:, None] + e2 * np.sin(2 * phi)[:, None])
        filter_response.append([(weight[:, None] * g * sky[:, None]).sum(axis=0) for sky in gamma_t.T])
        filter_norm.append((weight[:, None] * g**2).sum(axis=0))
    return np.array(filter_response), np.array(filter_norm)


def log_mean_likelihood_ratio(filter_response, filter_norm, amplitudes):
    """Return the log of the mean likelihood ratio over profiles and amplitudes."""
    values = amplitudes * filter_response[:, :, :, None] - 0.5 * amplitudes**2 * filter_norm[:, None, :, None]
    return logsumexp(values, axis=(2, 3)) - np.log(amplitudes.size)


def log_likelihood(x, y, e1, e2, weight, variance, g, phi):
    """Return the log likelihood ratio of ellipticities under a tangential shear g, in the frame of x and y."""
    e = e1 + 1j * e2
    shear = -g * np.exp(2j * phi)
    source = (e - shear) / (1 - np.conj(shear) * e)
    jacobian = ((1 - np.abs(shear) ** 2) / np.abs(1 - np.conj(shear) * e) ** 2) ** 2
    return (weight * ((np.abs(e) ** 2 - np.abs(source) ** 2) / (2 * variance) + np.log(jacobian))).sum()


def profile_likelihood(x, y, e1, e2, weight, variance, shear, spacing, amplitudes, columns, rows, max_shear):
    """Return log likelihood ratios (n_centres, n_profiles, n_amplitudes)."""
    likelihood = np.empty((len(columns), *amplitudes.shape))
    for q, (column, row) in enumerate(zip(columns, rows)):
        radius, phi = polar(x, y, column, row)
        profiles = shear_at(shear, spacing, radius)
        for p, a in np.ndindex(*amplitudes.shape):
            g = np.minimum(amplitudes[p, a] * profiles[:, p], max_shear)
            likelihood[q, p, a] = log_likelihood(x, y, e1, e2, weight, variance, g, phi)
    return likelihood


def excess(value, randomized):
    """Return the distance of a value from the mean of randomized ones, in their standard deviations."""
    mean = sum(randomized) / len(randomized)
    return (value - mean) / (sum((each - mean) ** 2 for each in randomized) / (len(randomized) - 1)) ** 0.5
