"""Compiled likelihoods of a lens."""
