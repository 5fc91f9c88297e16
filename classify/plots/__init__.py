"""Figures of this package."""
