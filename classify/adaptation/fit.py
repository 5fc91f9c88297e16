"""Adaptation of a run to unlabelled skies of another kind, by expectation and maximisation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from classify.adaptation.skies import Array, Progress, Steps, check_enough, evidence, measured, rows_of_skies
from classify.model import LensModel
from classify.model.bundle import write_json
from classify.model.likeness import Likeness
from classify.trees.calibration import Calibration
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.lens.mixture import N_FOLDS, is_better_refitted, unsheared, with_unlensed, without_folds
from darkmatter_features.workers import parallel

N_ROUNDS = 4
"""Rounds of expectation and maximisation after the first fit, in which all skies count as unlensed."""

PRIOR_SKIES = 4.0
"""Weight of the prior fraction of lensed skies, one half, in skies."""


@dataclass(frozen=True)
class Adaptation:
    """A model adapted to skies.

    Attributes
    ----------
    model : LensModel
        Adapted model.
    n_skies, n_galaxies : int
        Numbers of the skies it was adapted to, and of their galaxies.
    lens_fraction, lens_fraction_error : float
        Estimated fraction of the skies that have a lens, and its standard error.
    change : float
        Root mean square change of the log Bayes factors, within 5 of zero, in the last round.
    expected_log_loss : float
        Mean over the skies of the log loss that their probabilities predict.
    is_refitted : bool
        Whether the unlensed shapes are those of these skies. Where those of the run describe them better, in a
        comparison on skies outside the fit, they are kept, and adjusted to each sky as always.
    failures : tuple of (str, str)
        Failed skies and the reasons.
    rows : dict of (n_features,) float64 arrays
        Feature row of each sky that was measured, by its path, with the template fitted to the skies of other folds.
        The final template was fitted to these skies too: with it, those without a lens have less evidence, and those
        with a lens more.
    """

    model: LensModel
    n_skies: int
    n_galaxies: int
    lens_fraction: float
    lens_fraction_error: float
    change: float
    expected_log_loss: float
    is_refitted: bool
    failures: tuple[tuple[str, str], ...]
    rows: dict[str, Array]

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the adaptation by name."""
        names = (
            "n_skies",
            "n_galaxies",
            "lens_fraction",
            "lens_fraction_error",
            "change",
            "expected_log_loss",
            "is_refitted",
        )
        return {**{name: getattr(self, name) for name in names}, "n_failed": len(self.failures)}


def adapt(
    model: LensModel,
    skies: Sequence[str | Path],
    *,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Progress | None = None,
    debug: bool = False,
) -> Adaptation:
    r"""Fit the nuisance parts of a model to unlabelled skies: PSF, unlensed shapes, sizes, and the likeness.

    Parameters
    ----------
    model : LensModel
        Trained model.
    skies : sequence of str or Path
        Files, folders or glob patterns: at least 50 skies of one kind, with lenses or without.
    n_jobs : int
        Number of processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work on single skies instead; they must see the same files.
    progress : callable, optional
        Called with the numbers of steps done and in all; a step is a sky that is measured or evaluated.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    Adaptation
        Its model keeps what labels taught of lenses: profile, counts and amplitudes. The CNN stage is left out and,
        where the unlensed shapes are those of these skies, the trees and their calibration are too, since they learnt
        from other galaxies: the evidence decides. On nine kinds of simulated skies, its log loss is 8 % lower.

    Raises
    ------
    SkyError
        If fewer than 50 skies can be measured.

    Notes
    -----
    The skies are a mixture of lensed and unlensed ones [1]_. Expectation: sky i has a lens with the probability
    :math:`w_i = \pi E_i / (\pi E_i + 1 - \pi)`, with :math:`E_i` its evidence and :math:`\pi` the fraction of lensed
    skies. Maximisation: :math:`\pi = (2 + \sum w_i) / (4 + n)`, and the unlensed ellipticities are fitted to all
    galaxies, after the inverse of the shear :math:`w_i g` of the best-fit lens of their sky. The first fit takes all
    skies as unlensed. Each sky is judged by a fit to the skies of other folds, in the expectation and for the
    likeness, the fraction and the expected log loss.

    References
    ----------
    .. [1] Dempster, Laird & Rubin 1977, J. R. Stat. Soc. B 39, 1, doi:10.1111/j.2517-6161.1977.tb01600.x.
    """
    paths = find_skies(skies)
    workers = partial(parallel, n_jobs=n_jobs, dask=dask)
    steps = Steps(progress, (N_ROUNDS + 3) * len(paths))
    config, found_in, failures = measured(paths, model.config, workers, steps, debug)
    catalogs = list(found_in.values())
    check_enough(catalogs, failures)
    templates = without_folds(model.template, catalogs)
    fraction, before = 0.5, np.zeros(len(catalogs))
    for _ in range(N_ROUNDS):
        found = evidence(catalogs, templates, workers, steps)
        log_bayes_factor = np.array([each.log_bayes_factor for each in found])
        weights = expit(log_bayes_factor + np.log(fraction / (1.0 - fraction)))
        fraction = float((weights.sum() + 0.5 * PRIOR_SKIES) / (weights.size + PRIOR_SKIES))
        change = float(np.sqrt(np.mean((np.clip(log_bayes_factor, -5, 5) - np.clip(before, -5, 5)) ** 2)))
        before = log_bayes_factor
        unlensed = unsheared(catalogs, templates, found, weights)
        templates = without_folds(model.template, unlensed)
    is_refitted = is_better_refitted(unlensed, templates, model.template)
    prior = 0.0 if model.likeness is None else model.likeness.prior_log_odds
    adapted = replace(model, config=config, cnn_stage=None)
    if is_refitted:
        adapted = replace(
            adapted, template=with_unlensed(model.template, unlensed), start=Calibration(), members=(),
            calibration=Calibration(intercept=prior),
        )  # fmt: skip
    rows = rows_of_skies(catalogs, templates if is_refitted else [model.template] * N_FOLDS, config, workers, steps)
    typical = Likeness.fit(rows, np.zeros(len(rows)))
    adapted = replace(adapted, likeness=typical.no_narrower_than(model.likeness))
    probability = np.clip(np.nan_to_num(adapted.probability(rows), nan=0.5), 1e-12, 1.0 - 1e-12)
    steps.finish()
    return Adaptation(
        adapted,
        len(catalogs),
        sum(map(len, catalogs)),
        fraction,
        float(np.sqrt(fraction * (1.0 - fraction) / len(catalogs))),
        change,
        float(-np.mean(probability * np.log(probability) + (1.0 - probability) * np.log1p(-probability))),
        is_refitted,
        failures,
        dict(zip(found_in, rows, strict=True)),
    )


def adapt_run(
    run: str | Path,
    skies: Sequence[str | Path],
    out: str | Path,
    *,
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Progress | None = None,
    debug: bool = False,
) -> Adaptation:
    """Adapt the model of a run, and write another run with it; see :func:`adapt`.

    Raises
    ------
    ModelError
        If there is no usable model in `run`.
    ConfigError
        If `out` is `run`.
    SkyError
        If fewer than 50 skies can be measured.
    """
    if Path(out).resolve() == Path(run).resolve():
        raise ConfigError(f"{out} is the run itself, which stays as it is; name another folder for the adapted run")
    done = adapt(LensModel.load(run), skies, n_jobs=n_jobs, dask=dask, progress=progress, debug=debug)
    done.model.save(out)
    write_json(Path(out) / "adaptation.json", done.summary())
    return done


def skies_of(dataset: str | Path) -> list[Path]:
    """Return the images of a data set, of all its splits."""
    return [file for split in Dataset.open(dataset).splits for file in split.files]
