"""The verdict on a sky."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Verdict on a sky.

    Attributes
    ----------
    name : str
        Name of the sky.
    label : int or None
        1 for a lens, 0 for none: whether the probability is at least one half. None where the verdict is withheld.
    probability : float
        Probability of a lens; nan where the verdict is withheld.
    row, column : float, pixels
        Position of the lens, if there is one.
    snr : float
        Highest S/N of tangential shear in the maps of all Gaussian scales; its position can differ from `row, column`.
    decided_by : str
        Source of the probability: "lightgbm", or "cnn" if the CNN stage contributes; "withheld" without one.
    likeness : float
        Fraction of the training skies that are less typical than the sky.
    unlike : bool
        Whether the sky is unlike the training skies: its probability is drawn towards the prior, or withheld.
    reason : str
        Features in which an unlike sky deviates most.
    """

    name: str
    label: int | None
    probability: float
    row: float
    column: float
    snr: float
    decided_by: str = "lightgbm"
    likeness: float = 1.0
    unlike: bool = False
    reason: str = ""


WITHHELD = "withheld"
"""Source of no probability, in a table of verdicts."""
