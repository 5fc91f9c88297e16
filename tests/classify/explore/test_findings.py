"""Each finding: the planted fault is found, and a clean data set has none."""

from dataclasses import replace

import numpy as np
import pytest

from classify.explore.findings import explore
from classify.explore.identical import MIN_CORRELATION, near_identical_pairs
from classify.explore.profile import lens_profile
from tests.classify.explore.planted import look_of, measured, split_of


def kinds(looks):
    return [finding.kind for finding in explore(looks).findings]


def finding_of(looks, kind):
    """Return the only finding, which is of a kind."""
    found = explore(looks).findings
    assert [finding.kind for finding in found] == [kind], [finding.line for finding in found]
    return found[0]


@pytest.mark.parametrize("seed", range(8))
def test_a_clean_data_set_has_no_finding(seed):
    looks = measured(np.random.default_rng(seed), n=(120, 60))
    assert [finding.line for finding in explore(looks).findings] == []


def test_an_unlabelled_data_set_has_no_finding(rng):
    looks = measured(rng, labelled=False, gamma=0.0)
    looks.skies[["lens_row", "lens_column"]] = np.nan
    assert kinds(looks) == []


@pytest.mark.parametrize("bias", [0.03, -0.03j])
def test_an_additive_bias_is_found_with_its_size_and_sign(rng, bias):
    exploration = explore(measured(rng, bias=bias))
    (finding,) = exploration.findings
    assert finding.kind == "additive bias"
    found = exploration.bias
    assert found.e1 + 1j * found.e2 == pytest.approx(bias, abs=4 * found.error)
    assert found.error == pytest.approx(0.2 / np.sqrt(150 * found.n_skies), rel=0.3)
    assert found.n_skies == 30  # those without a lens
    assert f"{found.e1:+.4f}".replace("-", "−") in finding.text


def test_a_bias_too_small_to_matter_is_not_found(rng):
    """0.003 is below the shear of a weak lens, though six times its error here."""
    assert kinds(measured(rng, n=(400, 200), bias=0.003)) == []


def test_an_image_in_both_splits_is_found(rng):
    def change(looks, splits):
        for k in (3, 5):
            looks[40 + k] = looks[k]

    finding = finding_of(measured(rng, change=change), "identical images")
    assert finding.count == 2
    assert finding.skies == ("validation/validation-00003.png", "validation/validation-00005.png")
    assert finding.text == "the same image in both splits: 2 validation skies"
    assert finding.partners == ("training/training-00003.png", "training/training-00005.png")
    assert "(validation/validation-00003.png and training/training-00003.png, " in finding.line


def test_a_copy_in_the_same_split_is_found(rng):
    def change(looks, splits):
        looks[7] = looks[5]

    finding = finding_of(measured(rng, change=change), "identical images")
    assert finding.skies == ("training/training-00007.png",)
    assert finding.partners == ("training/training-00005.png",)


def test_each_copy_of_many_is_named_once_with_the_first_image_of_its_kind(rng):
    def change(looks, splits):
        for k in (2, 7, 42, 44):
            looks[k] = looks[2]

    both, single, *_ = explore(measured(rng, change=change)).findings
    assert both.names == tuple(f"validation/validation-0000{k}.png and training/training-00002.png" for k in (2, 4))
    assert single.names == ("training/training-00007.png and training/training-00002.png",)


def test_the_search_for_copies_ends_with_the_number_of_images_left_out(rng, monkeypatch):
    """30 images are copies of each other, though not the same: 435 pairs."""

    def change(looks, splits):
        for k in range(30):
            thumbnail = looks[0].thumbnail + rng.normal(0, 1e-4, (32, 32)).astype(np.float32)
            looks[k] = replace(looks[k], thumbnail=thumbnail / np.linalg.norm(thumbnail))

    looks = measured(rng, change=change)
    assert len(near_identical_pairs(looks).pairs) == 435
    found = near_identical_pairs(looks, max_pairs=100)
    assert (found.n_compared, found.n_images) == (4, 60)
    assert len(found.pairs) == 29 + 28 + 27 + 26
    monkeypatch.setattr("classify.explore.findings.near_identical_pairs", lambda _: found)
    (left_out,) = [each for each in explore(looks).findings if "ended early" in each.text]
    assert (left_out.kind, left_out.count) == ("near-identical images", 56)
    assert "56 of 60 different images were not compared with all others" in left_out.line


def test_identical_images_do_not_end_the_search_for_others(rng):
    def change(looks, splits):
        for k in range(1, 30):
            looks[k] = looks[0]
        looks[43] = replace(looks[43], thumbnail=np.ascontiguousarray(looks[35].thumbnail.T))

    found = near_identical_pairs(measured(rng, change=change), max_pairs=3)
    assert found.pairs == [(35, 43)]
    assert found.n_left_out == 0


@pytest.mark.parametrize("turn", [lambda t: t.T, lambda t: t[::-1], lambda t: np.rot90(t), lambda t: t + 0.002])
def test_an_image_that_is_turned_or_encoded_anew_is_found(rng, turn):
    def change(looks, splits):
        thumbnail = np.ascontiguousarray(turn(looks[3].thumbnail))
        looks[43] = replace(looks[43], thumbnail=thumbnail / np.linalg.norm(thumbnail))

    finding = finding_of(measured(rng, change=change), "near-identical images")
    assert finding.names == ("validation/validation-00003.png and training/training-00003.png",)


def test_copies_with_different_labels_are_found(rng):
    def change(looks, splits):
        looks[42] = looks[5]

    found = explore(measured(rng, change=change)).findings
    assert {finding.kind for finding in found} >= {"identical images", "labels"}
    (labels,) = (finding for finding in found if "copies" in finding.text and finding.kind == "labels")
    assert labels.skies == ("training/training-00005.png", "validation/validation-00002.png")
    assert labels.partners == labels.skies[::-1]
    assert labels.details == ("labels 1 and 0", "labels 0 and 1")


def test_labels_that_contradict_the_lens_file_are_found(rng):
    def change(looks, splits):
        training, validation = splits
        labels = training.labels.copy()
        labels[[1, 3]] = 0  # they have a lens
        labels[4] = 1  # it has none
        return [split_of("training", labels, training.lens_rows, training.lens_columns), validation]

    found = [finding for finding in explore(measured(rng, change=change)).findings if finding.kind == "labels"]
    assert [finding.count for finding in found] == [2, 1]
    assert "label 0, but a lens" in found[0].text
    assert found[1].skies == ("training/training-00004.png",)


def test_labels_without_lens_files_contradict_nothing(rng):
    looks = measured(rng)
    looks.skies[["lens_row", "lens_column"]] = np.nan
    assert kinds(looks) == []
    assert explore(looks).profile is None


@pytest.mark.parametrize(
    ("n", "options", "reason"),
    [(600, {}, "number of galaxies"), (150, {"bias": 0.35j}, "mean e2")],
)
def test_a_sky_unlike_the_rest_is_found_with_the_reason(rng, n, options, reason):
    def change(looks, splits):
        looks[8] = look_of(rng, 0, 0, 0.0, n, **options)

    finding = finding_of(measured(rng, change=change), "unlike skies")
    assert finding.skies == ("training/training-00008.png",)
    assert finding.details[0].startswith(reason)


@pytest.mark.parametrize(("level", "factor"), [(0.0, 1.0), (1e4, 1.0), (0.0, 1e-30)])
def test_images_whose_background_is_subtracted_are_not_unlike_by_their_level(rng, level, factor):
    """Mean brightness of either sign, with a heavy tail: bright stars."""

    def change(looks, splits):
        for k, look in enumerate(looks):
            looks[k] = replace(look, brightness=factor * (level + float(rng.standard_t(3))))

    assert kinds(measured(rng, change=change)) == []


def test_an_image_of_another_scale_is_found(rng):
    def change(looks, splits):
        for k, look in enumerate(looks):
            looks[k] = replace(look, brightness=float(rng.normal()) * (1000.0 if k == 8 else 1.0) + 255.0 * (k == 8))

    assert finding_of(measured(rng, change=change), "unlike skies").details[0].startswith("brightness")


def test_images_of_another_shape_are_found(rng):
    def change(looks, splits):
        looks[8] = replace(looks[8], shape=(1024, 512))

    finding = finding_of(measured(rng, change=change), "image shapes")
    assert finding.text == "images not of the usual 512 x 512 px and 3 bands: 1 sky"


def test_a_rare_class_is_found(rng):
    def change(looks, splits):
        labels = np.zeros(40)
        labels[1] = 1
        none = np.full(40, np.nan)
        return [split_of("training", labels, none, none), splits[1]]

    finding = next(each for each in explore(measured(rng, change=change, gamma=0)).findings if "balance" in each.kind)
    assert finding.text == "few training skies with a lens: 1 of 40"


def test_a_statistic_that_gives_the_class_away_is_found(rng):
    def change(looks, splits):
        for k in range(1, 60, 2):
            looks[k] = replace(looks[k], brightness=looks[k].brightness + 6.0)

    found = explore(measured(rng, change=change)).findings
    assert [finding.kind for finding in found] == ["difference of the classes"]
    assert "brightness of a sky alone" in found[0].text


def test_exchanged_rows_and_columns_of_lenses_are_found(rng):
    def change(looks, splits):
        return [
            split_of(split.name, split.labels, split.lens_columns, split.lens_rows) for split in splits
        ]  # fmt: skip

    finding = finding_of(measured(rng, change=change, gamma=0.3), "lens positions")
    assert "with rows and columns exchanged" in finding.text
    assert finding.remedy == "exchange rows and columns in the lens file"


def test_lenses_without_shear_are_found(rng):
    finding = finding_of(measured(rng, gamma=0.0), "lens positions")
    assert "no tangential shear about 30 lenses" in finding.text
    assert "exchanged" not in finding.text


def test_a_cross_shear_is_found(rng):
    def change(looks, splits):
        for k, look in enumerate(looks):
            catalog = look.catalog
            looks[k] = replace(look, catalog=replace(catalog, e2=-catalog.e2))  # the images are mirrored
            if k % 2:  # a shear between tangential and cross: turned by 30 degrees
                e = (catalog.e1 + 1j * catalog.e2) * np.exp(1j * np.pi / 3)
                looks[k] = replace(look, catalog=replace(catalog, e1=e.real.copy(), e2=e.imag.copy()))

    finding = finding_of(measured(rng, change=change, gamma=0.3), "lens positions")
    assert "cross shear" in finding.text


def test_planted_shear_is_recovered_by_the_stack_and_its_errors_hold(rng):
    profile = lens_profile(measured(rng, n=(100, 40), gamma=0.2))
    inner = (profile.radius > 15) & (profile.radius < 120)
    assert (np.abs(profile.gamma_t[inner] - 0.2) < 4 * profile.error_t[inner]).all()
    assert (np.abs(profile.gamma_x) < 4 * profile.error_x).all()
    assert (np.abs(profile.gamma_t[profile.radius > 150]) < 4 * profile.error_t[profile.radius > 150]).all()
    n = profile.n_galaxies / (np.pi * 256**2) * np.pi * (80**2 - 60**2)  # galaxies of a bin, away from the edges
    assert profile.error_t[4] == pytest.approx(0.2 / np.sqrt(n), rel=0.3)


def test_skies_that_failed_are_found(rng):
    def change(looks, splits):
        looks[8] = replace(looks[8], catalog=None, error="training-00008.png has no galaxies")

    finding = finding_of(measured(rng, change=change), "failures")
    assert finding.count == 1
    assert finding.to_dict()["details"] == ["training-00008.png has no galaxies"]


def test_near_identical_pairs_match_those_of_all_comparisons(rng):
    looks = measured(rng, n=(60, 20))
    thumbnails = looks.thumbnails.copy()
    for k in range(0, 40, 4):  # copies with more and less noise
        noisy = np.rot90(thumbnails[k], k // 4) + rng.normal(0, 0.0016 * (1 + k / 10), thumbnails[k].shape)
        thumbnails[79 - k] = noisy / np.linalg.norm(noisy)
    thumbnails[[1, 2]] = 0.0
    turned = [np.rot90(t, k, axes=(1, 2)) for t in (thumbnails, thumbnails.transpose(0, 2, 1)) for k in range(4)]
    best = np.max([t.reshape(80, -1) @ thumbnails.reshape(80, -1).T for t in turned], axis=0)
    expected = [(i, j) for i, j in np.argwhere(np.triu(best, 1) > MIN_CORRELATION)]
    assert 2 < len(expected) < 10
    found = near_identical_pairs(replace(looks, thumbnails=thumbnails))
    assert found.pairs == [tuple(map(int, pair)) for pair in expected]
    assert found.n_left_out == 0
