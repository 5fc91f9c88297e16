"""Compiled loops of the numerics: splines on a mesh, areas of discs, sums over shear profiles, likelihood ratios."""
