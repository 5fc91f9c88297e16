"""Bundles of models: no change of a file is accepted, and what was made to fit is checked before LightGBM reads it."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from fuzz.seeds import feature_rows, write_seeds

from classify.model import LensModel
from classify.model.bundle import sealed
from classify.trees.members import check_member
from darkmatter_features.errors import ModelError

ROWS = feature_rows()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("seeds")
    return next(seed for seed in write_seeds(root) if seed.kind == "model").folder


@pytest.fixture
def run(bundle, tmp_path) -> Path:
    for path in (bundle / "model").iterdir():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def rewrite(run: Path, change, *, name: str = "model.json", seal: bool = True) -> None:
    """Change a file of the bundle, and make its checksums fit if `seal`."""
    path, description = run / "model" / name, run / "model" / "model.json"
    if name == "model.json":
        content = change(json.loads(path.read_text()))
    else:
        path.write_bytes(change(path.read_bytes()))
        content = json.loads(description.read_text())
        for members in (content["members"], content.get("cnn_stage", {}).get("members", {})):
            if name in members:
                members[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    description.write_text(json.dumps(sealed(content) if seal else content))


def assert_refused(run: Path, found: str) -> None:
    with pytest.raises(ModelError, match=found) as refused:
        LensModel.load(run)
    message = str(refused.value)
    assert str(run / "model") in message
    assert "\n" not in message
    assert len(message) < 1000


def test_the_bundle_itself_is_loaded(run):
    assert np.isfinite(LensModel.load(run).probability(ROWS)).any()


def with_value(*keys: str, value: object):
    """Return a change of a description that sets an entry inside others."""

    def change(content: dict) -> dict:
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return content

    return change


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("calibration", "intercept"), 8.0),
        (("start", "slope"), 2.0),
        (("likeness", "prior_log_odds"), -3.0),
        (("cnn_stage", "limit"), 100.0),
        (("training", "rounds"), 5),
        (("odd",), 1),
        (("checksum",), "0" * 64),
    ],
)
def test_a_changed_number_is_refused_by_the_checksum(run, keys, value):
    if keys[0] == "cnn_stage":
        pytest.importorskip("torch")
    rewrite(run, with_value(*keys, value=value), seal=False)
    assert_refused(run, r"model\.json is damaged or was changed; run `darkmatter train` again, or copy the run again")


def test_a_bundle_without_checksum_is_refused(run):
    rewrite(run, lambda content: {key: value for key, value in content.items() if key != "checksum"}, seal=False)
    assert_refused(run, "has no checksum")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("calibration", "slope"), None),
        (("calibration", "slope"), "1"),
        (("calibration", "slope"), -1.0),
        (("calibration", "intercept"), True),
        (("calibration", "odd"), 1.0),
        (("start",), [1.0, 0.0]),
        (("likeness", "scale"), [0.0] * 16),
        (("likeness", "centre"), [0.0] * 3),
        (("likeness", "distances"), []),
        (("training",), None),
        (("members",), {"/etc/passwd": "0" * 64}),
        (("members",), {"member-0.txt": 1}),
        (("config",), {"n_pixels": 2**70}),
        (("template_fingerprint",), None),
    ],
)
def test_wrong_types_and_values_are_refused_although_the_checksum_fits(run, keys, value):
    rewrite(run, with_value(*keys, value=value))
    assert_refused(run, "is damaged|was made by another version")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"version": ' + "9" * 5000 + "}", "\ud800", '"a"'])
@pytest.mark.parametrize("name", ["model.json", "template.json"])
def test_json_that_python_cannot_hold_is_refused(run, name, text):
    (run / "model" / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_refused(run, re.escape(name))


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        (r"left_child=\S+", "left_child=7"),
        (r"left_child=\S+", "left_child=0"),
        (r"right_child=\S+", "right_child=-99"),
        (r"split_feature=\S+", "split_feature=2147483647"),
        (r"split_feature=\S+", "split_feature=-1"),
        (r"num_leaves=\d+", "num_leaves=2147483647"),
        (r"num_leaves=\d+", "num_leaves=-1"),
        (r"num_cat=0", "num_cat=5"),
        (r"decision_type=\d+", "decision_type=1"),
        (r"is_linear=0", "is_linear=1"),
        (r"threshold=\S+", "threshold=nan"),
        (r"leaf_value=\S+", "leaf_value=inf"),
        (r"leaf_value=\S+", "leaf_value="),
        (r"shrinkage=\S+", "shrinkage=x"),
        (r"tree_sizes=\d+", "tree_sizes=1"),
        (r"tree_sizes=", "tree_sizes=99999999999999999999 "),
        (r"max_feature_idx=\d+", "max_feature_idx=2147483647"),
        (r"num_class=1", "num_class=1000000000"),
        (r"feature_names=\S+ ", "feature_names="),
        (r"objective=.*", "objective=odd"),
        (r"Tree=1", "Tree=7"),
        (r"end of trees", "end of"),
        (r"\[boosting: gbdt\]", "[boosting: [gbdt]]"),
        (r"^tree", "tres"),
    ],
)
def test_a_member_of_another_structure_is_refused_although_its_checksum_fits(run, pattern, word):
    rewrite(run, lambda data: re.sub(pattern, word, data.decode(), count=1).encode(), name="member-0.txt")
    assert_refused(run, r"member-0\.txt is damaged")


def test_a_member_of_other_columns_is_refused(run):
    text = (run / "model" / "member-0.txt").read_text()
    with pytest.raises(ValueError, match="max_feature_idx"):
        check_member(text, 3)


def test_children_that_make_a_circle_are_refused(run):
    text = (run / "model" / "member-0.txt").read_text()
    left = re.search(r"left_child=(.*)", text)
    right = re.search(r"right_child=(.*)", text)
    swapped = text.replace(left[0], f"left_child={right[1]}", 1).replace(right[0], f"right_child={left[1]}", 1)
    check_member(swapped, 54 if "max_feature_idx=53" in text else int(re.search(r"max_feature_idx=(\d+)", text)[1]) + 1)
    words = left[1].split()
    node = next(k for k, word in enumerate(words) if int(word) > 0)
    words[node], words[int(words[node])] = words[int(words[node])], words[node]
    circle = text.replace(left[0], f"left_child={' '.join(words)}", 1)
    with pytest.raises(ValueError, match=r"make no tree|another length"):
        check_member(circle, int(re.search(r"max_feature_idx=(\d+)", text)[1]) + 1)
