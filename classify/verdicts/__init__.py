"""Verdicts on skies, and tables of them."""
