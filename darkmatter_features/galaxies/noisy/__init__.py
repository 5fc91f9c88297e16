"""Images with noise: background, noise and its correlation."""
