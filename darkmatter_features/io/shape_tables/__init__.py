"""Tables of galaxies made elsewhere, from bytes to columns of one unit: formats, choice, units, conventions, rows."""
