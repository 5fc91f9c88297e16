"""All lenses of a shape catalogue: a joint fit of several halos, the table of candidates, maps and a figure."""
