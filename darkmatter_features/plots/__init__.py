"""Figures of a sky and of a template."""
