"""Largest reduced shear that any likelihood of this package uses."""

MAX_SHEAR = 0.95
"""Upper limit of the reduced shear in a likelihood, dimensionless: at 1, the critical curve, the Jacobian vanishes, and
beyond it an image has the other parity."""
