"""Compiled inner loops of the measurement of noisy images."""
