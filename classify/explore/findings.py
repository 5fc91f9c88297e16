"""Findings about a data set before training: its faults, with counts and remedies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from classify.explore.bias import Bias, additive_bias, class_differences
from classify.explore.identical import (
    NearPairs,
    identical_groups,
    in_both_splits,
    in_one_split,
    near_identical_pairs,
    with_both_labels,
)
from classify.explore.look import Looks
from classify.explore.outliers import STATISTICS, outliers
from classify.explore.profile import Profile, lens_profile

MIN_FRACTION = 0.1
"""Minimum fraction of the smaller class of a split."""

MIN_LABELLED = 20
"""Minimum number of labelled skies for the fraction of a class, and of lenses for the check of their positions."""

MIN_SNR = 4.0
"""S/N of the stacked shear below which it is missing, and of the cross shear above which it is there."""

N_NAMED = 3
"""Number of skies that are named in a line."""

CHECKS = (
    "class balance", "labels", "identical images", "near-identical images", "additive bias",
    "difference of the classes", "lens positions", "unlike skies", "image shapes", "failures",
)  # fmt: skip
"""Kinds of findings."""


@dataclass(frozen=True)
class Finding:
    """A fault of a data set that will hurt a training.

    Attributes
    ----------
    kind : str
        Name of the check, of `CHECKS`.
    count : int
        Number of skies.
    text : str
        Description of the fault.
    remedy : str
        Advice.
    skies : tuple of str
        Names of the skies; empty if it is about all.
    details : tuple of str
        A reason for each of the skies; empty if they have the same.
    partners : tuple of str
        For each of the skies, the name of another sky that has the same image; empty if it is not about copies.
    """

    kind: str
    count: int
    text: str
    remedy: str
    skies: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding and its remedy in one line, with the first skies."""
        few = ", ".join(self.names[:N_NAMED]) + (", ..." if len(self.skies) > N_NAMED else "")
        return f"{self.kind}: {self.text}{f' ({few})' if few else ''}; {self.remedy}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the skies, each with that of its copy if it has one."""
        both = zip(self.skies, self.partners, strict=True) if self.partners else ()
        return tuple(f"{sky} and {partner}" for sky, partner in both) or self.skies

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Exploration:
    """A data set before training.

    Attributes
    ----------
    looks : Looks
        Measurements of each sky.
    bias : Bias or None
        Mean ellipticity; None for too few skies.
    profile : Profile or None
        Shear about the labelled lenses; None where no position is known.
    findings : tuple of Finding
        Faults of the data set.
    """

    looks: Looks
    bias: Bias | None
    profile: Profile | None
    findings: tuple[Finding, ...]


def explore(looks: Looks) -> Exploration:
    """Return the content of a data set, and the faults that will hurt a training."""
    bias = additive_bias(looks.skies)
    mean_e = 0j if bias is None or not bias.is_significant else complex(bias.e1, bias.e2)
    profile = lens_profile(looks, mean_e)
    findings = [
        *_of_classes(looks.skies), *_of_labels(looks.skies), *_of_copies(looks), *_of_bias(bias),
        *_of_differences(looks.skies), *_of_profile(looks, profile, mean_e), *_of_outliers(looks.skies),
        *_of_failures(looks.skies),
    ]  # fmt: skip
    return Exploration(looks, bias, profile, tuple(findings))


def _about(
    kind: str,
    skies: pd.DataFrame,
    index: Iterable[int],
    text: str,
    remedy: str,
    *,
    split: str = "",
    details: Sequence[str] = (),
) -> Iterator[Finding]:
    """Yield a finding about skies, if there are any; its text ends with their number.

    A mapping for `index` has the partner of each of the skies.
    """
    partners = index.values() if isinstance(index, Mapping) else ()
    names, others = (tuple(skies["sky"].iloc[list(each)]) for each in (index, partners))
    if names:
        yield Finding(kind, len(names), f"{text}: {counted(len(names), split)}", remedy, names, tuple(details), others)


def counted(n: int, split: str = "") -> str:
    """Return a number of skies in words."""
    return f"{n} {split}{' ' if split else ''}{'sky' if n == 1 else 'skies'}"


def _of_classes(skies: pd.DataFrame) -> Iterator[Finding]:
    for name, split in skies.groupby("split", sort=False):
        known = split["label"].dropna()
        fraction = known.mean() if len(known) else 0.5
        if len(known) >= MIN_LABELLED and min(fraction, 1 - fraction) < MIN_FRACTION:
            rare = int(min(known.sum(), len(known) - known.sum()))
            which = "with" if fraction < 0.5 else "without"
            text = f"few {name} skies {which} a lens: {rare} of {len(known)}"
            yield Finding(
                "class balance", rare, text, "add skies of this class, or judge by the recall and not by the accuracy"
            )


def _of_labels(skies: pd.DataFrame) -> Iterator[Finding]:
    has_lens = np.isfinite(skies["lens_row"].to_numpy())
    labels = skies["label"].to_numpy()
    has_file = skies["split"].isin(skies["split"][has_lens]).to_numpy()
    remedy = "correct the label or the lens file"
    contradictory = np.flatnonzero((labels == 0) & has_lens).tolist()
    yield from _about("labels", skies, contradictory, "label 0, but a lens in the lens file", remedy)
    missing = np.flatnonzero((labels == 1) & ~has_lens & has_file & (skies["n_rows"] > 0).to_numpy()).tolist()
    yield from _about("labels", skies, missing, "label 1, but no lens in the lens file", remedy)


def _of_copies(looks: Looks) -> Iterator[Finding]:
    skies, groups, near = looks.skies, identical_groups(looks), near_identical_pairs(looks)
    for kind, name, how, own in (
        ("identical images", "the same image", "", groups),
        ("near-identical images", "nearly the same image", ", turned, mirrored, or encoded anew", near.pairs),
    ):
        both, single = in_both_splits(skies, own), in_one_split(skies, own)
        remedy = "remove them from one split, or the validation is too good"
        yield from _about(kind, skies, both, f"{name} in both splits{how}", remedy, split="validation")
        copies = {k: partner for k, partner in single.items() if k not in both}
        remedy = "remove them, or folds of the training share them"
        yield from _about(kind, skies, copies, f"{name} more than once in a split{how}", remedy)
    yield from _of_search(near)
    index, label = with_both_labels(skies, [*groups, *near.pairs]), skies["label"]
    details = [f"labels {label.iloc[k]:.0f} and {label.iloc[j]:.0f}" for k, j in index.items()]
    text, remedy = "different labels of copies of an image", "correct the labels, or remove the copies"
    yield from _about("labels", skies, index, text, remedy, details=details)


def _of_search(near: NearPairs) -> Iterator[Finding]:
    if near.n_left_out:
        text = (
            f"the search ended early, because there are too many: {near.n_left_out} of {near.n_images} different "
            "images were not compared with all others"
        )
        yield Finding("near-identical images", near.n_left_out, text, "remove the copies that were found; look again")


def _of_bias(bias: Bias | None) -> Iterator[Finding]:
    if bias is not None and bias.is_significant:
        text = (
            f"the mean ellipticity of {bias.n_skies} skies is {bias.text}, not 0; a training learns this bias with the "
            "lens-free shapes"
        )
        remedy = (
            "use the run for skies with the same bias alone, or look for its cause (PSF, pixels that are not square, "
            "alignment of the drawing)"
        )
        yield Finding("additive bias", bias.n_skies, text, remedy)


def _of_differences(skies: pd.DataFrame) -> Iterator[Finding]:
    for name, area in class_differences(skies).items():
        text = f"the {STATISTICS[name]} of a sky alone separates the classes (area under the ROC curve {area:.3f})"
        remedy = "make skies of both classes in the same way, or a model learns the difference instead of the lens"
        yield Finding("difference of the classes", int(skies["label"].notna().sum()), text, remedy)


def _of_profile(looks: Looks, profile: Profile | None, mean_e: complex) -> Iterator[Finding]:
    if profile is None or profile.n_lenses < MIN_LABELLED:
        return
    if profile.snr_t < MIN_SNR:
        other = lens_profile(looks, mean_e, exchanged=True)
        text = f"no tangential shear about {profile.n_lenses} lenses (S/N {profile.snr_t:.1f})".replace("-", "−")
        remedy = "check the lens file: row, column, in pixels of a 512 px frame, row 0 on top"
        if other is not None and other.snr_t > 2 * MIN_SNR:
            text += f", but S/N {other.snr_t:.1f} with rows and columns exchanged"
            remedy = "exchange rows and columns in the lens file"
        yield Finding("lens positions", profile.n_lenses, text, remedy)
    elif abs(profile.snr_x) > max(MIN_SNR, 0.3 * profile.snr_t):
        text = f"cross shear of S/N {profile.snr_x:.1f} about {profile.n_lenses} lenses".replace("-", "−")
        yield Finding("lens positions", profile.n_lenses, text, "check whether images or positions are mirrored")


def _of_outliers(skies: pd.DataFrame) -> Iterator[Finding]:
    found = outliers(skies)
    if found:
        names = tuple(skies["sky"].iloc[[each.index for each in found]])
        text = f"unlike the rest: {counted(len(found))}"
        remedy = "look at them; remove or correct those of another kind"
        yield Finding("unlike skies", len(found), text, remedy, names, tuple(each.reason for each in found))
    shapes = skies[skies["n_rows"] > 0][["n_rows", "n_columns", "n_bands"]]
    usual = shapes.value_counts().index[0]
    other = shapes.index[(shapes.to_numpy() != np.array(usual)).any(axis=1)]
    text = f"images not of the usual {usual[1]} x {usual[0]} px and {usual[2]} bands"
    yield from _about("image shapes", skies, list(other), text, "give images of one kind, because scales are in pixels")


def _of_failures(skies: pd.DataFrame) -> Iterator[Finding]:
    index = np.flatnonzero(skies["error"] != "").tolist()
    remedy = "correct or remove them by the reasons in the page; no model can use them"
    yield from _about("failures", skies, index, "not measured", remedy, details=skies["error"].iloc[index].tolist())
