"""Interactive pages: one HTML file of a run, and the same pages on a loopback address."""
