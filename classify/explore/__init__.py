"""A look at a data set before training: what is in it, and what will hurt."""
