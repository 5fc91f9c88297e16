"""Headers of FITS files: absurd sizes are refused before they are used, unusual but right files are read."""

from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.errors import SkyError, TableError
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.io.fits_headers import HeaderError, check_fits_headers
from darkmatter_features.io.packed import unpacked
from darkmatter_features.io.sky import read_sky
from tests.fuzz import files

HUGE = 2**32


def assert_refused(read, path, error, found):
    with pytest.raises(error) as refused:
        read(path)
    message = str(refused.value)
    assert message.startswith(f"{path} ")
    assert found in message
    assert "\n" not in message


@pytest.mark.parametrize("pack", [bytes, files.zipped], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NAXIS", HUGE),
        ("NAXIS", -1),
        ("NAXIS", "T"),
        ("NAXIS1", HUGE),
        ("NAXIS2", -5),
        ("NAXIS2", 2**62),
        ("BITPIX", 7),
        ("BITPIX", 2**31),
        ("PCOUNT", HUGE),
        ("GCOUNT", HUGE),
        ("WCSAXES", 65536),
        ("WCSAXES", -1),
        ("WCSAXESA", 65536),
        ("A_ORDER", 20000),
        ("BP_ORDER", 30000),
        ("naxis1", HUGE),
        ("HIERARCH NAXIS", HUGE),
    ],
)
def test_an_absurd_size_of_an_image_is_refused(tmp_path, key, value, pack):
    path = files.write(tmp_path / "sky.fits", pack(files.with_card(files.image(), key, value)))
    assert_refused(read_sky, path, SkyError, "header 0")


@pytest.mark.parametrize(
    ("key", "value"),
    [("ZNAXIS", HUGE), ("ZNAXIS1", -1), ("ZTILE1", 2**31), ("ZTILE1", 0), ("ZBITPIX", 5), ("TFIELDS", HUGE)],
)
def test_an_absurd_size_of_a_packed_image_is_refused(tmp_path, key, value):
    path = files.write(tmp_path / "sky.fits", files.with_card(files.packed_image(), key, value))
    assert_refused(read_sky, path, SkyError, "header 1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TFIELDS", HUGE),
        ("TFIELDS", -1),
        ("TFIELDS", 999),
        ("NAXIS1", 2**40),
        ("NAXIS2", 2**40),
        ("TFORM1", "'4294967296D'"),
        ("TFORM1", "'999999999999PJ'"),
        ("TFORM2", "'?'"),
        ("PCOUNT", HUGE),
        ("NAXIS", 1000),
    ],
)
def test_an_absurd_size_of_a_table_is_refused(tmp_path, key, value):
    data = files.catalog()
    start = data.index(b"XTENSION")  # the header of the table is the second one
    path = files.write(tmp_path / "shapes.fits", data[:start] + files.with_card(data[start:], key, value))
    assert_refused(read_catalog, path, TableError, "header 1")


def test_a_header_without_an_end_is_refused(tmp_path):
    data = files.image().replace(b"END".ljust(80), b"FIN".ljust(80))
    assert_refused(read_sky, files.write(tmp_path / "sky.fits", data), SkyError, "has no end")


def test_many_lines_or_extensions_are_refused():
    lines = b"SIMPLE  =                    T".ljust(80) + b"COMMENT".ljust(80) * 80_000
    with pytest.raises(HeaderError, match="lines"):
        check_fits_headers(BytesIO(lines))
    empty = fits.PrimaryHDU().header.tostring().encode()
    with pytest.raises(HeaderError, match="extensions"):
        check_fits_headers(BytesIO(empty * 2100))


def test_contradictory_declarations_are_refused_and_equal_ones_are_not(tmp_path):
    twice = files.image().replace(b"EXTEND".ljust(8) + b"=", b"NAXIS1".ljust(8) + b"=")
    for value in (30, 31):
        data = twice.replace(b"NAXIS1  =                    T", files.card("NAXIS1", value)[:30])
        path = files.write(tmp_path / f"{value}.fits", data)
        if value == 30:
            assert read_sky(path).shape == (20, 30)
        else:
            assert_refused(read_sky, path, SkyError, "both NAXIS1 = 30 and NAXIS1 = 31")


def unusual():
    """Return right files with groups, several extensions, columns of many forms, no padding, or bytes at the end."""
    rng = np.random.default_rng(1)
    pixels = rng.normal(size=(8, 9))
    columns = [
        fits.Column("a", "3X", array=rng.random((5, 3)) > 0.5),
        fits.Column("c", "PJ()", array=np.array([np.arange(k) for k in range(5)], dtype=object)),
        fits.Column("d", "2M", array=rng.normal(size=(5, 2)) + 0j),
        fits.Column("e", "12A", array=["x"] * 5),
    ]
    groups = fits.GroupData(rng.normal(size=(5, 1, 2, 3)), bitpix=-32, parnames=["u"], pardata=[np.arange(5.0)])
    yield fits.HDUList([fits.GroupsHDU(groups)])
    yield fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns), fits.ImageHDU(pixels)])
    text = fits.TableHDU.from_columns([fits.Column("x", "F8.3", array=[1.0, 2.0])])
    yield fits.HDUList([fits.PrimaryHDU(pixels), text])
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"):
        whole = np.abs(100 * pixels).astype(np.int32)
        yield fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(whole, compression_type=kind)])


def test_right_but_unusual_files_pass(tmp_path):
    for k, hdus in enumerate(unusual()):
        hdus.writeto(tmp_path / f"{k}.fits")
        data = (tmp_path / f"{k}.fits").read_bytes()
        for content in (data, data + b"\0" * 100, data + b"\0" * 2880):
            check_fits_headers(BytesIO(content))
    data = files.image()
    check_fits_headers(BytesIO(data[: 2880 + 4 * 600]))  # the last block is not filled


def test_a_gzipped_file_that_expands_without_bounds_is_refused(tmp_path):
    path = files.write(tmp_path / "sky.fits.gz", files.bomb(files.image()))
    assert path.stat().st_size < 1_000_000
    assert_refused(read_sky, path, SkyError, "expands to more than 128 MiB")
    path = files.write(tmp_path / "shapes.csv.gz", files.bomb(b"x,y,e1,e2\n", b"\n"))
    assert_refused(read_catalog, path, TableError, "expands to more than 128 MiB")


def test_a_gzipped_file_of_a_usual_ratio_may_be_of_any_size(monkeypatch):
    monkeypatch.setattr("darkmatter_features.io.packed.MAX_UNPACKED", 1000)
    content = np.random.default_rng(0).integers(0, 4, 100_000, dtype=np.uint8).tobytes()
    assert unpacked(BytesIO(files.zipped(content))).read() == content
