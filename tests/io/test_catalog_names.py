"""Columns of surveys are found by their names; messages show the most probable ones."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from tests.support.shape_tables import galaxies, on_sky

SKY = on_sky(galaxies(), 150.0, 2.0)
FILLER = pd.DataFrame({f"i_cmodel_mag_{k:03d}": np.full(60, 22.0) for k in range(60)})

SURVEYS = {
    "HSC": ("i_ra", "i_dec", "i_hsmshaperegauss_e1", "i_hsmshaperegauss_e2", "i_hsmshaperegauss_derived_weight"),
    "HSC PDR1": ("ira", "idec", "ishape_hsm_regauss_e1", "ishape_hsm_regauss_e2", None),
    "DES": ("ra", "dec", "e_1", "e_2", "weight"),
    "DES Y6": ("ra", "dec", "gauss_g_1", "gauss_g_2", "w"),
    "KiDS": ("RAJ2000", "DECJ2000", "autocal_e1", "autocal_e2", "weight"),
    "KiDS DR4": ("ALPHA_J2000", "DELTA_J2000", "e1", "e2", "weight"),
    "Euclid": ("RIGHT_ASCENSION", "DECLINATION", "SHE_LENSMC_E1", "SHE_LENSMC_E2", "SHE_LENSMC_WEIGHT"),
    "Rubin": ("coord_ra", "coord_dec", "ext_shapeHSM_HsmShapeRegauss_e1", "ext_shapeHSM_HsmShapeRegauss_e2", None),
    "Rubin cells": ("ra", "dec", "shape_hsm_e1", "shape_hsm_e2", None),
    "metacal": ("ra", "dec", "mcal_g1_noshear", "mcal_g2_noshear", "mcal_weight"),
    "metadetect": ("ra", "dec", "mdet_g_1", "mdet_g_2", "mdet_g_w"),
    "CFHTLenS": ("ALPHA_J2000", "DELTA_J2000", "e1", "e2", "weight"),
    "VizieR": ("RAJ2000", "DEJ2000", "e1", "e2", None),
    "VizieR, computed": ("_RAJ2000", "_DEJ2000", "e1", "e2", None),
    "SExtractor": ("ALPHAWIN_J2000", "DELTAWIN_J2000", "E1", "E2", None),
}


def survey(names):
    frame = SKY.rename(columns=dict(zip(["ra", "dec", "e1", "e2"], names[:4])))
    return frame if names[4] is None else frame.assign(**{names[4]: np.linspace(1, 2, 60)})


@pytest.mark.parametrize("names", SURVEYS.values(), ids=SURVEYS)
def test_columns_of_surveys_are_found(tmp_path, names):
    frame = pd.concat([FILLER, survey(names)], axis=1)
    for k in (1, 2):
        frame[f"psf_e{k}"] = frame[f"{names[k + 1]}_err"] = 0.01
    frame[f"e_{names[0]}"] = frame["ra_err"] = 0.001
    frame.to_parquet(tmp_path / "a")
    catalog = read_catalog(tmp_path / "a")
    assert_array_equal(catalog.ra, SKY["ra"])
    assert np.abs(catalog.e1 - SKY["e1"]).max() < 0.01
    if names[4] is not None and names[4] != "mdet_g_w":
        assert_array_equal(catalog.weight, np.linspace(1, 2, 60))


def test_the_corrected_shapes_are_chosen(tmp_path):
    frame = survey(SURVEYS["Euclid"])
    for k in (1, 2):
        frame[f"SHE_LENSMC_E{k}_CORRECTED"] = SKY[f"e{k}"] / 2
    frame.to_csv(tmp_path / "a.csv", index=False)
    notes = read_catalog(tmp_path / "a.csv").notes
    assert "e1 = SHE_LENSMC_E1_CORRECTED, e2 = SHE_LENSMC_E2_CORRECTED" in notes[0]


def test_ra_and_dec_with_two_names_are_of_one_family(tmp_path):
    frame = SKY.rename(columns={"ra": "RAJ2000", "dec": "DECJ2000"}).assign(
        ALPHA_J2000=SKY["ra"], DELTA_J2000=SKY["dec"]
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert "ra = RAJ2000, dec = DECJ2000" in read_catalog(tmp_path / "a.csv").notes[0]


def test_windowed_pixels_are_chosen(tmp_path):
    frame = galaxies().rename(columns={"x": "XWIN_IMAGE", "y": "YWIN_IMAGE"}).assign(X_IMAGE=1.0, Y_IMAGE=2.0)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert_array_equal(read_catalog(tmp_path / "a.csv").x, galaxies()["x"])


def test_several_pairs_of_shapes_are_left_to_the_user(tmp_path):
    frame = survey(SURVEYS["HSC"]).assign(r_hsmshaperegauss_e1=0.0, r_hsmshaperegauss_e2=0.0)
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(
        TableError, match=r"2 columns that may be e1: i_hsm.*, r_hsm.*; choose one with --e1 \(Python: e1=\)"
    ):
        read_catalog(tmp_path / "a.csv")
    catalog = read_catalog(tmp_path / "a.csv", e1="i_hsmshaperegauss_e1")  # e2 and the weight go with it
    assert np.abs(catalog.e2 - SKY["e2"]).max() < 0.01
    assert catalog.weight is not None


def test_messages_show_the_most_probable_of_many_columns(tmp_path):
    wide = pd.concat(
        [FILLER, SKY.drop(columns=["e1", "e2"]), SKY[["e1", "e2"]].set_axis(["sh1", "sh2"], axis=1)], axis=1
    )
    wide.to_parquet(tmp_path / "a")
    with pytest.raises(
        TableError, match=r"no column that may be e1; choose one with --e1 \(Python: e1=\) from: sh1, .*64 in all"
    ):
        read_catalog(tmp_path / "a")
    with pytest.raises(TableError, match=r"no column shh2 for e2; give one of: sh2, "):
        read_catalog(tmp_path / "a", e1="sh1", e2="shh2")


@pytest.mark.parametrize("name", ["x", "e1"])
def test_a_column_that_occurs_twice_is_refused(tmp_path, rng, name):
    values = {"x": rng.random(40), "y": rng.random(40), "e1": 0.1 * rng.random(40), "e2": 0.1 * rng.random(40)}
    table = pa.table(list(map(pa.array, [*values.values(), values[name]])), names=[*values, name])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(TableError, match=r"twice\.parquet"):
        read_catalog(tmp_path / "twice.parquet")
