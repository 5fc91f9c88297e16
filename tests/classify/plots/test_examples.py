"""Selection of examples from a run, and the names of their heatmaps."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.plots.examples import named, select_examples
from darkmatter_features.errors import ConfigError, DatasetError, ModelError


def write_run(run: Path, probabilities: list[float], labels: list[float]) -> Path:
    """Write the predictions of a run, and empty files as images in `skies` beside it."""
    run.mkdir()
    n = len(labels)
    write_skies(run.parent / "skies", n)
    table = pd.DataFrame({"sky": [f"validation/{i}.png" for i in range(n)], "label": labels})
    table = table.assign(probability=probabilities, lens_row=[7.0] + [np.nan] * (n - 1), lens_column=8.0)
    table.to_csv(run / "validation-predictions.csv", index=False)
    (run / "run.json").write_text(json.dumps({"dataset": str(run.parent / "skies")}))
    return run


def write_skies(root: Path, n: int) -> None:
    (root / "validation").mkdir(parents=True)
    for i in range(n):
        (root / "validation" / f"{i}.png").touch()


def test_examples_are_wrong_unsure_and_sure_skies(tmp_path):
    run = write_run(tmp_path / "run", [0.1, 0.45, 0.99, 0.9, 0.02, 0.55, 0.97, 0.2], [1, 0, 1, 0, 0, 1, 1, 0])
    examples = select_examples(run, 6)
    names = ["wrong-0", "wrong-3", "unsure-1", "unsure-5", "sure-2", "sure-6"]
    assert [each.name for each in examples] == names
    assert examples[0].sky == tmp_path / "skies" / "validation" / "0.png"
    assert examples[0].lens == (7.0, 8.0)
    assert examples[1].lens is None


def test_an_unsure_mistake_is_selected_once(tmp_path):
    run = write_run(tmp_path / "run", [0.49, 0.9, 0.6], [1, 1, 1])
    assert [each.name for each in select_examples(run, 3)] == ["wrong-0", "unsure-2", "sure-1"]


def test_without_mistakes_sure_skies_take_their_number_and_none_is_repeated(tmp_path):
    run = write_run(tmp_path / "run", [0.9, 0.8, 0.1, 0.6], [1, 1, 0, np.nan])
    write_skies(tmp_path / "elsewhere", 4)
    examples = select_examples(run, 10, data=tmp_path / "elsewhere")
    assert [each.name for each in examples] == ["unsure-3", "unsure-1", "unsure-0", "sure-2"]
    assert examples[0].sky == tmp_path / "elsewhere" / "validation" / "3.png"


def test_a_negative_number_of_examples_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must be 0 or more, got -4"):
        select_examples(write_run(tmp_path / "run", [0.9, 0.2], [1, 0]), -4)


def test_a_run_without_predictions_is_refused(tmp_path):
    with pytest.raises(ModelError, match="darkmatter train"):
        select_examples(tmp_path, 3)


HEAD = "sky,label,probability,lens_row,lens_column"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("validation-predictions.csv", "nonsense", "Usecols do not match columns"),
        ("validation-predictions.csv", "", "No columns to parse"),
        ("validation-predictions.csv", f"{HEAD}\nvalidation/0.png,1,surely,,\n", "surely"),
        ("validation-predictions.csv", f"{HEAD}\nvalidation/0.png,1,,,\n", "a sky or its probability is missing"),
        ("validation-predictions.csv", f"{HEAD}\n,1,0.9,,\n", "a sky or its probability is missing"),
        ("run.json", "[]", "indices must be integers"),
        ("run.json", "{}", "it has no 'dataset'"),
        ("run.json", '{"dataset": 5}', "5|int"),
        ("run.json", "{", "Expecting"),
    ],
)
def test_a_damaged_file_of_a_run_is_refused_by_its_name(tmp_path, name, text, reason):
    run = write_run(tmp_path / "run", [0.9, 0.2], [1, 0])
    (run / name).write_text(text)
    with pytest.raises(ModelError, match=reason) as refused:
        select_examples(run, 2)
    assert str(refused.value).startswith(f"{run / name} cannot be used (")
    assert str(refused.value).endswith("; make a run with `darkmatter train`")
    assert "\n" not in str(refused.value)


def test_labels_and_positions_may_be_unknown(tmp_path):
    run = write_run(tmp_path / "run", [0.9], [1])
    (run / "validation-predictions.csv").write_text(f"{HEAD}\nvalidation/0.png,,0.2,,\n")
    (drawing,) = select_examples(run, 3)
    assert (drawing.name, drawing.lens) == ("unsure-0", None)


def test_examples_without_any_image_are_refused_but_one_missing_image_is_not(tmp_path):
    run = write_run(tmp_path / "run", [0.9, 0.2], [1, 0])
    with pytest.raises(DatasetError, match=r"0\.png: no image of the run exists; give the folder .* by --data"):
        select_examples(run, 2, data=tmp_path / "nowhere")
    (tmp_path / "skies" / "validation" / "0.png").unlink()
    assert len(select_examples(run, 2)) == 2


def test_heatmaps_of_images_of_the_same_name_are_numbered():
    examples = named([Path("a/sky.png"), Path("b/sky.fits.gz"), Path("b/other.png")])
    assert [each.name for each in examples] == ["sky-1", "sky-2", "other"]
