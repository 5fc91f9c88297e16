"""Tables of features: the columns that the classifier uses, and their reading."""
