"""A look at a data set before training: its content, and the faults that will hurt."""
