"""What will hurt a training: findings with counts and remedies."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from classify.explore.bias import Bias, additive_bias, class_differences
from classify.explore.identical import identical_groups, in_both_splits, near_identical_pairs, with_both_labels
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


@dataclass(frozen=True)
class Finding:
    """Something that will hurt a training.

    Attributes
    ----------
    kind : str
        Name of the check.
    count : int
        Number of skies.
    text : str
        What was found.
    remedy : str
        What to do.
    skies : tuple of str
        Names of the skies; empty if it is about all.
    details : tuple of str
        A reason for each of the skies; empty if they have the same.
    """

    kind: str
    count: int
    text: str
    remedy: str
    skies: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding and its remedy in one line, with the first skies."""
        few = ", ".join(self.skies[:N_NAMED]) + (", ..." if len(self.skies) > N_NAMED else "")
        return f"{self.kind}: {self.text}{f' ({few})' if few else ''}; {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self) | {"skies": list(self.skies), "details": list(self.details)}


@dataclass(frozen=True, eq=False)
class Exploration:
    """A data set before training.

    Attributes
    ----------
    looks : Looks
        What was measured of each sky.
    bias : Bias or None
        Mean ellipticity; None for too few skies.
    profile : Profile or None
        Shear about the labelled lenses; None where no position is known.
    findings : tuple of Finding
        What will hurt.
    """

    looks: Looks
    bias: Bias | None
    profile: Profile | None
    findings: tuple[Finding, ...]


def explore(looks: Looks) -> Exploration:
    """Return what is in a data set, and what will hurt a training."""
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
    kind: str, skies: pd.DataFrame, index: Sequence[int], text: str, remedy: str, split: str = ""
) -> Iterator[Finding]:
    """Yield a finding about skies, if there are any; its text ends with their number."""
    if len(index):
        text = f"{text}: {counted(len(index), split)}"
        yield Finding(kind, len(index), text, remedy, tuple(skies["sky"].iloc[list(index)]))


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
    skies, groups = looks.skies, identical_groups(looks)
    remove = "remove them from one split: the validation would be too good"
    both = in_both_splits(skies, groups)
    yield from _about("identical images", skies, both, "the same image in both splits", remove, "validation")
    copies = [k for group in groups for k in group[1:] if k not in both]
    repeated = "the same image more than once in a split"
    yield from _about("identical images", skies, copies, repeated, "remove them: folds of the training share them")
    near = near_identical_pairs(looks)
    both = in_both_splits(skies, near)
    turned = "turned, mirrored, or encoded anew"
    text = f"nearly the same image in both splits, {turned}"
    yield from _about("near-identical images", skies, both, text, remove, "validation")
    copies = sorted({j for i, j in near if skies["split"].iloc[i] == skies["split"].iloc[j]})
    text = f"nearly the same image more than once in a split, {turned}"
    yield from _about("near-identical images", skies, copies, text, "remove them: folds of the training share them")
    index = with_both_labels(skies, [*groups, *near])
    text = "different labels of copies of an image"
    yield from _about("labels", skies, index, text, "correct the labels, or remove the copies")


def _of_bias(bias: Bias | None) -> Iterator[Finding]:
    if bias is not None and bias.is_significant:
        value = f"({bias.e1:+.4f}, {bias.e2:+.4f}) ± {bias.error:.4f}".replace("-", "−")
        text = f"the mean ellipticity of {bias.n_skies} skies is {value}, not 0"
        remedy = (
            "a training learns this bias with the lens-free shapes: use the run for skies with the same bias alone, or "
            "look for its cause (PSF, pixels that are not square, alignment of the drawing)"
        )
        yield Finding("additive bias", bias.n_skies, text, remedy)


def _of_differences(skies: pd.DataFrame) -> Iterator[Finding]:
    for name, area in class_differences(skies).items():
        text = f"the {STATISTICS[name]} of a sky alone separates the classes (area under the ROC curve {area:.3f})"
        remedy = "make skies of both classes in the same way: a model learns the difference instead of the lens"
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
        text, remedy = f"unlike the rest: {counted(len(found))}", "look at them; remove or correct what is no such sky"
        yield Finding("unlike skies", len(found), text, remedy, names, tuple(each.reason for each in found))
    shapes = skies[skies["n_rows"] > 0][["n_rows", "n_columns", "n_bands"]]
    usual = shapes.value_counts().index[0]
    other = shapes.index[(shapes.to_numpy() != np.array(usual)).any(axis=1)]
    text = f"images not of the usual {usual[1]} x {usual[0]} px and {usual[2]} bands"
    yield from _about("image shapes", skies, list(other), text, "give images of one kind: scales are in pixels")


def _of_failures(skies: pd.DataFrame) -> Iterator[Finding]:
    index = np.flatnonzero(skies["error"] != "").tolist()
    yield from _about(
        "failures", skies, index, "not measured",
        "no model can use them: see the reasons in the page, and correct or remove them",
    )  # fmt: skip
