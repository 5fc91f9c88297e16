"""Simulated skies: galaxies, a halo in front of them, and the picture. Never imports the measuring code."""

from darkmatter_features.simulation.write import PRESETS, simulate_dataset

__all__ = ["PRESETS", "simulate_dataset"]
