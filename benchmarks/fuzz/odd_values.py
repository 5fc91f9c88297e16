"""Values that mutations put in place of others: at the edges of types and formats, and beyond."""

NUMBERS = (
    "0", "1", "-1", "2", "9", "99", "255", "256", "1000", "32768", "65536", "2147483647", "2147483648", "4294967295",
    "4294967296", "9223372036854775807", "18446744073709551616", "-2147483648", "-9223372036854775808", "1e308",
    "1e999", "-1e308", "1e-320", "NaN", "nan", "inf", "-inf", "Infinity", "0x" + "f" * 5000, "9" * 5000, "1_000",
    "1.5", "-0.0",
)  # fmt: skip
"""Numbers at the edges of the types, beyond them, and in other notations."""

WORDS = (
    "", " ", "null", "true", "'", '"', "\\", "\0", "abc", "T", "F", "[]", "{}", "[" * 3000, "{" * 3000, '{"a":' * 3000,
    "a" * 100_000, "é", "\u2028", "../../x", "/etc/passwd", "%s%n", "=", "#", "\n", "\n\n", ",", ";", "\ufeff",
)  # fmt: skip
"""Texts that end others, nest, or are long."""

FITS_KEYWORDS = (
    "SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "GROUPS", "EXTEND", "TFIELDS",
    "TFORM1", "TFORM2", "TTYPE1", "TDIM1", "TNULL1", "TSCAL1", "TZERO1", "TBCOL1", "THEAP", "XTENSION", "BSCALE",
    "BZERO",
    "BLANK", "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZTILE1", "ZTILE2", "ZNAME1", "ZVAL1",
    "ZVAL2", "ZQUANTIZ", "ZDITHER0", "ZBLANK", "ZSCALE", "ZZERO", "WCSAXES", "WCSAXESA", "CTYPE1", "CTYPE2", "CUNIT1",
    "CRPIX1", "CRVAL1", "CDELT1", "CD1_1", "PC1_1", "PV2_1", "PS1_0", "LONPOLE", "A_ORDER", "B_ORDER", "AP_ORDER",
    "A_2_0",
    "CPDIS1", "D2IMDIS1", "DP1", "END", "CONTINUE", "HIERARCH NAXIS", "EXTNAME", "INHERIT", "LONGSTRN", "MJD-OBS",
)  # fmt: skip
"""Keywords of structure, scaling, compression and coordinates."""
FITS_VALUES = (
    "'RA---TAB'", "'DEC--TAN-SIP'", "'RICE_1'", "'GZIP_1'", "'GZIP_2'", "'HCOMPRESS_1'", "'PLIO_1'", "'TPD'",
    "'LOOKUP'", "'999999999J'", "'1PJ(99999999)'", "'0A'", "'1QJ'", "'3X'", "'(9999,9999)'", "'BINTABLE'", "'TABLE'",
    "'IMAGE'",
    "T", "F", "'deg'", "'NO_DITHER'", "'SUBTRACTIVE_DITHER_2'", "'BLOCKSIZE'", "'BYTEPIX'", "'NAXES: 9'",
)  # fmt: skip
"""Values of the keywords that are texts."""
TOML_LINES = (
    "a." * 20_000 + "b = 1", "x = " + "[" * 3000, "x = " + "{a=" * 3000, "[measure]", "[[measure]]", '"a\\nb" = 1',
    "n_pixels = 0x" + "f" * 5000, "n_pixels = " + "9" * 5000, "n_pixels = nan", "n_pixels = 1979-05-27", "[\"\"]",
    "n_pixels = [1, 2]", "n_pixels = '''" + "x" * 5000 + "'''", "[cnn.train.measure]", "measure.n_pixels = 8",
)  # fmt: skip
"""Lines that nest, repeat or contradict settings."""
