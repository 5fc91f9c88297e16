"""Compiled loops over the pixels of an image and of its segments."""
