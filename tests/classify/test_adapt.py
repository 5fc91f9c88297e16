"""Adaptation to unlabelled skies: what it keeps, what it recovers, and when it is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify.adaptation import fit
from classify.adaptation import skies as adapted_skies
from classify.adaptation.fit import N_ROUNDS, adapt, adapt_run, skies_of
from classify.adaptation.skies import MIN_SKIES
from classify.model import LensModel
from classify.model.likeness import Likeness
from classify.trees.calibration import LIMIT, Calibration
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, ModelError, SkyError
from darkmatter_features.features.extract import row_of_catalog
from darkmatter_features.galaxies.shapes import ImageProperties
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit_unlensed import fit_unlensed
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from tests.support.drawing import lensed_catalog
from tests.support.synthetic import draw_sky, feature_rows, write_images

SHAPE = (320, 320)
N, N_GALAXIES = 60, 90
"""Numbers of skies, and of galaxies in each."""


def sky(rng, *, mean=0.0, scatter=0.2, gamma=0.0, psf_sigma=0.92):
    """Return a sky of a mean ellipticity and a scatter, behind a lens of an isothermal shear if `gamma` is not 0."""
    centre = tuple(rng.uniform(100, 220, 2))
    galaxies = lensed_catalog(
        rng, n=N_GALAXIES, shape=SHAPE, scatter=scatter, bias=mean, centre=centre,
        gamma=lambda r: gamma * 60 * r / (r**2 + 20**2),
    )  # fmt: skip
    size, fill_factor = np.exp(rng.normal(0.9, 0.3, N_GALAXIES)), rng.normal(1.0, 0.02, N_GALAXIES)
    return replace(galaxies, size=size, fill_factor=fill_factor, image=ImageProperties(psf_sigma, 0.5, 3))


def skies(seed, n=N, **properties):
    rng = np.random.default_rng(seed)
    return [sky(rng, **properties) for _ in range(n)]


@pytest.fixture(scope="module")
def model() -> LensModel:
    """Model without trees, whose template was fitted to skies of no mean ellipticity and a scatter of 0.2."""
    likeness = replace(
        Likeness.fit(feature_rows(np.zeros(60), np.random.default_rng(1)), np.zeros(60)), prior_log_odds=0.7
    )
    template = fit_unlensed(skies(1))
    return LensModel(Calibration(), (), Calibration(), MeasureConfig(), template, {"rounds": 3}, likeness=likeness)


@pytest.fixture
def measured(monkeypatch):
    """Function that makes catalogues those of the files ``0.png``, ``1.png``, ... and returns the names of these."""
    return measured_with(monkeypatch)


@pytest.fixture
def one_round(monkeypatch):
    """Adapt in one round instead of four, for what does not depend on their number."""
    monkeypatch.setattr(fit, "N_ROUNDS", 1)


def measured_with(patch):
    settings = []

    def use(catalogs):
        def catalog_or_reason(path, config, debug):
            settings.append(config)
            return catalogs[int(Path(path).stem)]

        patch.setattr(adapted_skies, "_catalog_or_reason", catalog_or_reason)
        patch.setattr(fit, "is_better_refitted", lambda catalogs, refitted, template: True)
        return [f"{k}.png" for k in range(len(catalogs))]

    use.settings = settings
    return use


WIDER = {"seed": 2, "scatter": 0.25}
"""Skies of a wider scatter than those of the model."""


@pytest.fixture(scope="module")
def adaptation(model):
    """The adaptation of the model, with a CNN stage, to wider skies, and the numbers that its progress had."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        paths = measured_with(patch)(skies(**WIDER))
        staged = replace(model, cnn_stage=object())
        return adapt(staged, paths, n_jobs=1, progress=lambda *numbers: seen.append(numbers)), seen


def test_mean_and_scatter_of_the_ellipticity_are_recovered(model, measured):
    """5,400 galaxies know the mean to 0.28 / 5400^(1/2) = 0.004 and the scatter to 1 %."""
    done = adapt(model, measured(skies(2, mean=0.1, scatter=0.28)), n_jobs=1)
    template = done.model.template
    assert template.mean_e1 == pytest.approx(np.full(template.mean_e1.size, 0.1), abs=0.03)
    assert template.mean_e1.mean() == pytest.approx(0.1, abs=0.012)
    assert template.mean_e2.mean() == pytest.approx(0.0, abs=0.012)
    expected = fit_unlensed(skies(3, mean=0.1, scatter=0.28)).sigma_e.mean()
    assert template.sigma_e.mean() == pytest.approx(expected, rel=0.06)
    assert expected > 1.2 * model.template.sigma_e.mean()


def test_where_no_sky_is_lensed_the_fraction_is_near_zero(adaptation):
    done, _ = adaptation
    assert done.lens_fraction < 0.12
    assert done.lens_fraction_error == pytest.approx(np.sqrt(done.lens_fraction * (1 - done.lens_fraction) / N))


def test_the_fraction_and_the_unlensed_shapes_of_a_mixture_are_recovered(model, measured):
    """Half of the skies have strong lenses; the shapes are those of the unlensed skies alone."""
    plain, lensed = skies(4, n=30), skies(5, n=30, gamma=0.35)
    done = adapt(model, measured([*plain, *lensed]), n_jobs=1)
    assert done.lens_fraction == pytest.approx(0.5, abs=0.12)
    mixed, clean = (fit_unlensed(each).sigma_e.mean() for each in ([*plain, *lensed], [*plain, *skies(6, n=30)]))
    found = done.model.template.sigma_e.mean()
    assert abs(found - clean) < 0.5 * abs(mixed - clean)


def test_labels_are_kept_and_the_cnn_stage_is_left_out(model, adaptation):
    found = adaptation[0].model
    assert found.cnn_stage is None
    assert found.members == ()
    assert found.training == model.training
    for name in ("shear_profile", "amplitude_exponent", "amplitudes", "weights"):
        np.testing.assert_array_equal(getattr(found.template, name), getattr(model.template, name))
    assert "unlabelled" in found.template.source


def test_the_evidence_decides_where_the_shapes_are_refitted(model, adaptation):
    catalogs, found = skies(**WIDER), adaptation[0].model
    evidence = lens_evidence(catalogs[0], found.template).log_bayes_factor
    row = row_of_catalog(PreparedCatalog(catalogs[0], found.compiled), config=found.config)
    assert found.log_odds(row[None]) == pytest.approx(np.clip(evidence, -LIMIT, LIMIT) + model.likeness.prior_log_odds)


def test_trees_and_shapes_are_kept_where_they_describe_the_skies_better(model, measured, one_round, monkeypatch):
    paths = measured(skies(2))
    monkeypatch.setattr(fit, "is_better_refitted", lambda catalogs, refitted, template: False)
    found = adapt(model, paths, n_jobs=1).model
    assert (found.start, found.members, found.calibration) == (model.start, model.members, model.calibration)
    assert found.template == model.template


def test_skies_adapted_to_become_typical(model, measured, one_round, adaptation):
    catalogs, found = skies(**WIDER), adaptation[0].model
    verdicts = [found.judge(catalog) for catalog in catalogs[:10]]
    assert not any(verdict.unlike for verdict in verdicts)
    assert found.likeness.prior_log_odds == model.likeness.prior_log_odds
    assert adapt(replace(model, likeness=None), measured(catalogs), n_jobs=1).model.likeness.prior_log_odds == 0.0


def test_another_psf_is_expected_and_the_skies_are_measured_again_about_it(model, measured, one_round):
    done = adapt(model, measured(skies(2, psf_sigma=1.5)), n_jobs=1)
    assert done.model.config == replace(MeasureConfig(), psf_sigma=1.5)
    assert measured.settings == [MeasureConfig()] * N + [done.model.config] * N


def test_the_expected_psf_stays_where_the_skies_have_it(model, measured, one_round):
    assert adapt(model, measured(skies(2, psf_sigma=0.93)), n_jobs=1).model.config == MeasureConfig()
    assert len(measured.settings) == N


def test_the_numbers_of_the_adaptation_are_summarised(adaptation):
    done, seen = adaptation
    assert (done.n_skies, done.n_galaxies, done.failures) == (N, N * N_GALAXIES, ())
    assert set(done.summary()) == {
        "n_skies", "n_galaxies", "lens_fraction", "lens_fraction_error", "change", "expected_log_loss", "is_refitted",
        "n_failed",
    }  # fmt: skip
    assert 0 <= done.expected_log_loss <= np.log(2)
    assert done.change < 0.5
    total = (N_ROUNDS + 3) * N
    assert seen[-1] == (total, total)
    assert [number for number, _ in seen] == sorted(number for number, _ in seen)


def test_failed_skies_are_left_out_and_named(model, measured, one_round):
    catalogs = [*skies(2), "no image"]
    done = adapt(model, measured(catalogs), n_jobs=1)
    assert done.n_skies == N
    assert done.failures == ((f"{N}.png", "no image"),)
    assert done.summary()["n_failed"] == 1


@pytest.mark.parametrize("n", [0, MIN_SKIES - 1])
def test_few_skies_are_refused_with_their_number_and_the_remedy(model, measured, n):
    with pytest.raises(SkyError) as refused:
        adapt(model, measured([*skies(2, n=n), "no image"]), n_jobs=1)
    assert str(refused.value) == (
        f"measured {n} of the skies, an adaptation needs {MIN_SKIES} of one kind; name more; "
        "the first of 1 failures: no image"
    )


def test_files_that_are_missing_are_failures(model, tmp_path):
    draw_sky(tmp_path / "0.png", np.random.default_rng(0))
    with pytest.raises(SkyError, match=r"measured 1 of the skies.*first of 1 failures: .*missing\.png"):
        adapt(model, [tmp_path / "0.png", tmp_path / "missing.png"], n_jobs=1)


def test_the_run_itself_is_never_overwritten(model, tmp_path, measured):
    model.save(tmp_path / "run")
    before = (tmp_path / "run" / "model" / "model.json").read_bytes()
    with pytest.raises(ConfigError, match=r"is the run itself.*name another folder") as refused:
        adapt_run(tmp_path / "run", measured(skies(2)), tmp_path / "other" / ".." / "run", n_jobs=1)
    assert "\n" not in str(refused.value)
    assert (tmp_path / "run" / "model" / "model.json").read_bytes() == before


def test_a_missing_run_is_refused(tmp_path, measured):
    with pytest.raises(ModelError, match="No model"):
        adapt_run(tmp_path / "nowhere", measured(skies(2)), tmp_path / "out", n_jobs=1)
    assert not (tmp_path / "out").exists()


def test_the_adapted_run_holds_the_adapted_model_and_its_numbers(model, tmp_path, measured, one_round):
    model.save(tmp_path / "run")
    catalogs = skies(**WIDER)
    done = adapt_run(tmp_path / "run", measured(catalogs), tmp_path / "out", n_jobs=1)
    loaded = LensModel.load(tmp_path / "out")
    assert loaded.template == done.model.template
    assert loaded.likeness == done.model.likeness
    assert loaded.judge(catalogs[0]) == done.model.judge(catalogs[0])
    assert json.loads((tmp_path / "out" / "adaptation.json").read_text()) == done.summary()
    assert LensModel.load(tmp_path / "run").template == model.template


def test_a_data_set_has_the_skies_of_all_its_splits(tmp_path):
    for split in ("training", "validation"):
        write_images(tmp_path, split=split, n=2)
    assert [path.name for path in skies_of(tmp_path)] == [
        "training-00000.png", "training-00001.png", "validation-00000.png", "validation-00001.png"
    ]  # fmt: skip


def test_a_template_of_the_default_is_adapted_too(measured, model):
    """The default has two shape bins and no statistics of skies: both are fitted."""
    found = adapt(replace(model, template=LensTemplate.default()), measured(skies(2)), n_jobs=1).model.template
    assert found.sky_centre.size == 9
    assert found.sigma_e.mean() == pytest.approx(fit_unlensed(skies(2)).sigma_e.mean(), rel=0.05)
