"""Files that are read and written: images, data sets, labels, tables, shape catalogues."""
