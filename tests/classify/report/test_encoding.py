"""Maps, columns and JSON in a page: what is read from them again."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from classify.report.encoding import encoded_column, encoded_image, encoded_map, rounded
from classify.report.page import to_json


def decoded(encoded):
    image = Image.open(io.BytesIO(base64.b64decode(encoded["png"].partition(",")[2])))
    high, low = np.split(np.asarray(image).astype(np.int64), 2)
    level = 256 * high + low
    return np.where(level > 0, encoded["low"] + encoded["step"] * (level - 1), np.nan)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 4.0, 1e12])
def test_a_map_is_read_to_half_a_step(rng, scale):
    values = scale * rng.normal(size=(33, 40))
    values[3, 4] = np.nan
    encoded = encoded_map(values)
    assert encoded["step"] <= 2.51 * np.ptp(values[np.isfinite(values)]) / 65_532
    np.testing.assert_allclose(decoded(encoded), values, rtol=0, atol=0.501 * encoded["step"])


def test_a_level_is_a_decimal_number_of_the_shown_decimals(rng):
    encoded = encoded_map(rng.normal(2.0, 3.0, size=(33, 33)))
    assert encoded["decimals"] == 4
    levels = decoded(encoded)
    np.testing.assert_allclose(levels, np.round(levels, 4), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "values", [np.zeros((2, 3)), np.full((1, 1), 7.5), np.full((2, 2), np.nan), np.full((2, 2), -1e9 / 3)]
)
def test_constant_and_empty_maps_are_read_as_they_are(values):
    np.testing.assert_allclose(decoded(encoded_map(values)), values, rtol=1e-11)


def test_a_column_is_read_to_half_a_step(rng):
    values = rng.uniform(0, 5000, 99)
    encoded = encoded_column(values)
    levels = np.frombuffer(base64.b64decode(encoded["data"]), "<u2").astype(np.int64)
    np.testing.assert_allclose(encoded["low"] + encoded["step"] * (levels - 1), values, atol=0.501 * encoded["step"])


def test_an_image_keeps_its_size_and_its_light():
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10] = 255
    kind, data = encoded_image(pixels)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert kind == "image/webp"
    assert image.shape == (20, 30, 3)
    assert image[:8].min() > 240 > 15 > image[12:].max()


def test_json_cannot_end_its_element_and_has_no_nan():
    text = to_json({"name": "</script><!--<script>&\u2028é", "value": float("nan"), "list": [1, float("inf")]})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"name": "</script><!--<script>&\u2028é", "value": None, "list": [1, None]}


def test_rounded_numbers_keep_six_digits():
    assert rounded([1 / 3, np.nan, 123456.789, -0.0]) == [0.333333, None, 123457.0, 0.0]
