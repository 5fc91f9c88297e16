"""Boosted trees as text: LightGBM reads it without checks, and a wrong index in it ends the process.

The checks allow what training with numerical features writes, and no more: counts that agree, indices in range,
children that make a tree, finite numbers. Only thresholds may be infinite, where a split separates unknown values from
all others.
"""

import math
import re
from collections.abc import Iterable, Iterator

import lightgbm
import numpy as np
from numpy.typing import NDArray

HEADER = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "max_feature_idx": None,
    "objective": "binary sigmoid:1",
    "feature_names": None,
    "feature_infos": None,
    "tree_sizes": None,
}
"""Lines of the header, in any order; None where the value depends on the training."""

MAX_TREES = 10_000
"""Maximum number of trees of a member."""

MAX_LEAVES = 131_072
"""Maximum number of leaves of a tree, the limit of LightGBM."""

END = "end of trees"
_TAIL = re.compile(
    r"end of trees\n\nfeature_importances:\n(?:\S+=\d{1,9}\n)*"
    r"(?:\nparameters:\n(?:\[\w+: [^\[\]\n]{0,1000}\]\n)*\nend of parameters\n)?"
    r"(?:\npandas_categorical:(?:null|\[\])\n)?"
)
_DECISIONS = frozenset(("0", "2", "4", "6", "8", "10"))
"""Types of numerical decisions: 2 if missing values go left, 4 and 8 for the kind of missing values."""
_PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
_PER_NODE = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_PER_NODE_RECORD = ("internal_value", "internal_weight", "internal_count")
_SINGLE = ("num_leaves", "num_cat", "is_linear", "shrinkage")


def booster(text: str, n_inputs: int) -> lightgbm.Booster:
    """Return the member with this text.

    Parameters
    ----------
    text : str
        Text that ``model_to_string`` of LightGBM gave.
    n_inputs : int
        Number of input columns.

    Raises
    ------
    ValueError
        If it is damaged, or a member for other columns.
    """
    check_member(text, n_inputs)
    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(f"LightGBM cannot read it: {error}") from None


def check_member(text: str, n_inputs: int) -> None:
    """Check the text of a member; parameters and errors as in :func:`booster`."""
    head, _, rest = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "tree":
        raise ValueError("it is no model of LightGBM")
    sizes = _check_header(_settings(lines[1:], "the header"), n_inputs)
    start = 0
    for k, size in enumerate(sizes):
        _check_tree(rest[start : start + size], k, n_inputs)
        start += size
    if not _TAIL.fullmatch(rest[start:]):
        raise ValueError(f"{END!r} does not follow {len(sizes)} trees, or is not followed by their parameters")


def _settings(lines: list[str], place: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in lines if line]
    settings = {pair[0]: pair[-1] for pair in pairs}
    if len(settings) != len(pairs) or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{place} has lines without a value, or two for one")
    return settings


def _check_header(header: dict[str, str], n_inputs: int) -> list[int]:
    """Check the header, and return the lengths of the texts of the trees."""
    if odd := header.keys() ^ HEADER.keys():
        raise ValueError(f"the header has not the lines of a binary model (differing: {min(odd)[:40]})")
    expected = HEADER | {"max_feature_idx": str(n_inputs - 1)}
    for name, value in expected.items():
        if value is not None and header[name] != value:
            raise ValueError(f"{name} is {header[name][:40]}, not {value}")
    for name in ("feature_names", "feature_infos"):
        if (n := len(header[name].split(" "))) != n_inputs:
            raise ValueError(f"{name} has {n} entries, not {n_inputs}")
    words = header["tree_sizes"].split()
    if len(words) > MAX_TREES:
        raise ValueError(f"it has {len(words)} trees, the limit is {MAX_TREES}")
    return [_whole(word, "tree_sizes", 1, 10**9) for word in words]


def _check_tree(text: str, k: int, n_inputs: int) -> None:
    """Check the text of the tree with the index k."""
    if not (text.startswith(f"Tree={k}\n") and text.endswith("\n\n\n")):
        raise ValueError(f"the text of tree {k} has another length than tree_sizes")
    tree = _settings(text.split("\n"), f"tree {k}")
    known = {"Tree", *_SINGLE, *_PER_LEAF, *_PER_NODE, *_PER_NODE_RECORD}
    if odd := tree.keys() ^ known:
        raise ValueError(f"tree {k} has not the lines of a tree of numerical decisions (differing: {min(odd)[:40]})")
    n_leaves = _whole(tree["num_leaves"], "num_leaves", 1, MAX_LEAVES)
    if (tree["num_cat"], tree["is_linear"]) != ("0", "0"):
        raise ValueError(f"tree {k} has categories or linear leaves")
    _check_numbers(tree, k, n_leaves)
    for word in tree["split_feature"].split():
        _whole(word, f"split_feature of tree {k}", 0, n_inputs - 1)
    if not _DECISIONS.issuperset(tree["decision_type"].split()):
        raise ValueError(f"tree {k} has decisions of another type")
    _check_children(tree, k, n_leaves)


def _check_numbers(tree: dict[str, str], k: int, n_leaves: int) -> None:
    """Check that every list has as many numbers as the tree has leaves or nodes, all finite but for thresholds."""
    for name in (*_PER_LEAF, *_PER_NODE, *_PER_NODE_RECORD, "shrinkage"):
        words = tree[name].split()
        expected = 1 if name == "shrinkage" else n_leaves if name in _PER_LEAF else n_leaves - 1
        if n_leaves == 1 and name in ("leaf_weight", "leaf_count"):  # LightGBM writes none for a constant
            expected = len(words) if len(words) <= 1 else 1
        is_number = _is_threshold if name == "threshold" else _is_finite
        if len(words) != expected or not all(map(is_number, words)):
            raise ValueError(f"{name} of tree {k} has not {expected} finite numbers")


def _check_children(tree: dict[str, str], k: int, n_leaves: int) -> None:
    """Check that the children of nodes, leaves being ~0, ~1, ..., make a tree with the root 0, parents first."""
    sides = (
        [_whole(word, f"children of tree {k}", -n_leaves, n_leaves - 2) for word in words] for words in _sides(tree)
    )
    pairs = list(zip(*sides, strict=True))
    children = sorted(child for pair in pairs for child in pair)
    complete = children == [*range(-n_leaves, 0), *range(1, n_leaves - 1)] or n_leaves == 1
    if not complete or any(0 <= child <= node for node, pair in enumerate(pairs) for child in pair):
        raise ValueError(f"the children of tree {k} make no tree")


def _sides(tree: dict[str, str]) -> Iterator[list[str]]:
    return (tree[name].split() for name in ("left_child", "right_child"))


def _whole(word: str, name: str, least: int, most: int) -> int:
    if not re.fullmatch(r"-?\d{1,10}", word, re.ASCII) or not least <= int(word) <= most:
        raise ValueError(f"{name} has {word[:20]!r}, no whole number from {least} to {most}")
    return int(word)


def _is_threshold(word: str) -> bool:
    """Return whether a word is a finite number, or infinity as LightGBM writes it."""
    return word in ("inf", "-inf") or _is_finite(word)


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False


def thresholds_of(members: Iterable[lightgbm.Booster], n_columns: int) -> tuple[NDArray[np.float64], ...]:
    """Return the sorted thresholds of each column in all trees; a value at a threshold is on its lower side."""
    found: list[set[float]] = [set() for _ in range(n_columns)]
    for member in members:
        nodes = [tree["tree_structure"] for tree in member.dump_model()["tree_info"]]
        while nodes:
            node = nodes.pop()
            if "threshold" in node:
                found[node["split_feature"]].add(node["threshold"])
                nodes += [node["left_child"], node["right_child"]]
    return tuple(np.array(sorted(own), dtype=np.float64) for own in found)
