"""Input and output: images, data sets, labels, tables, shape catalogues."""
