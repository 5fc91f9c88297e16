"""Decoding of images, a module for each format."""
