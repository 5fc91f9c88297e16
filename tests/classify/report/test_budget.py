"""The size of a page: what it leaves out first, what all skies keep, and where it is refused."""

import json
import shutil

import pandas as pd
import pytest

from classify.cli import main
from classify.report import skies as skies_module
from classify.report.run_report import write_report
from classify.report.sky import describe_sky
from darkmatter_features.io.dataset import image_path
from darkmatter_features.simulation import simulate_dataset
from tests.classify.report.conftest import N_SKIES, element, shown
from tests.support.synthetic import trained_run

N_MANY = 200


@pytest.fixture(scope="module")
def small(trained, page, tmp_path_factory):
    """Return a page of the run that leaves out the maps of some skies."""
    limit = (page.stat().st_size - 3_000) / 1e6
    return write_report(trained, tmp_path_factory.mktemp("small") / "small.html", max_mb=limit, n_jobs=1)


def test_skies_without_maps_keep_their_numbers_and_contributions(small, visit):
    text = small.path.read_text(encoding="utf-8")
    absent = sorted(set(range(N_SKIES)) - set(element(text, "page")["detailed"]))
    assert absent
    name = element(text, "skies")["name"][absent[0]]
    tab = visit(f"file://{small.path}#sky={name}")
    assert shown(tab) == name
    text = tab.locator("#sky-text").inner_text()
    names = ("best-fit position", "log Bayes factor", "amplitude", "Contributions to the verdict")
    assert [each for each in names if each not in text] == []
    assert tab.locator("#panels").inner_text() == "The image and the maps of this sky are not in this page."


def test_all_skies_have_the_facts_of_the_features(small, trained):
    text = small.path.read_text(encoding="utf-8")
    facts, features = element(text, "facts"), pd.read_parquet(trained.parent / "features" / "features.parquet")
    features = features.set_index("sky").loc[element(text, "skies")["name"]]
    assert [each["amplitude"] for each in facts] == pytest.approx(features["amplitude"].tolist(), rel=1e-3)
    assert [each["bayes"][0] for each in facts] == pytest.approx(features["evidence"].tolist(), rel=1e-3)
    terms = element(text, "page")["terms"]
    explained = pd.read_csv(trained / "validation-contributions.csv").set_index("image")
    for name, each in zip(features.index, facts, strict=True):
        own = each["contributions"]
        assert own["total"] == pytest.approx(explained.loc[name].sum(), abs=2e-3)
        assert all(0 <= term < len(terms) for term, _ in own["parts"])


def test_a_page_that_is_too_small_for_its_list_is_refused_with_the_remedy(trained, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["report", str(trained), "--max-mb", "0.05", "--out", str(out), "--jobs", "1"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert f"the list of the {N_SKIES} skies" in printed
    assert "give --max-mb 0." in printed
    assert not out.exists()


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a run of 200 validation skies of 512 px, copies of four simulated ones."""
    root = tmp_path_factory.mktemp("many")
    simulate_dataset(root / "data", n_training=1, n_validation=4, n_jobs=1)
    for i in range(4, N_MANY):
        shutil.copy(image_path(root / "data", "validation", i % 4), image_path(root / "data", "validation", i))
    return trained_run(root, root / "data", n_validation=N_MANY)


@pytest.mark.parametrize("max_mb", [5.0, 2.0])
def test_two_hundred_skies_stay_within_the_size(many, max_mb, tmp_path, monkeypatch):
    """Copies of an image have equal data, which is made once for each here."""
    known = {}

    def described(task):
        key = task.path.read_bytes()
        if key not in known:
            known[key] = describe_sky(task)
        return known[key]

    monkeypatch.setattr(skies_module, "describe_sky", described)
    done = write_report(many, tmp_path / "report.html", max_mb=max_mb, n_jobs=1)
    assert done.path.stat().st_size <= 1e6 * max_mb
    assert done.n_skies == N_MANY
    assert (done.n_detailed == N_MANY) == (max_mb == 5.0)
    assert len(element(done.path.read_text(encoding="utf-8"), "facts")) == N_MANY


@pytest.mark.parametrize("n_failed", [1, 150])
def test_failed_skies_do_not_make_the_page_larger_than_asked(many, tmp_path, monkeypatch, n_failed):
    def described(task):
        raise ValueError("a reason of many words " * 20)

    monkeypatch.setattr(skies_module, "describe_sky", described)
    done = write_report(many, tmp_path / "report.html", max_mb=0.5, n_jobs=1)
    assert done.path.stat().st_size <= 0.5e6
    assert "more skies failed; the command names them" in done.path.read_text(encoding="utf-8")


def test_the_page_of_a_large_list_leaves_the_contributions_out_first(many, tmp_path, monkeypatch):
    monkeypatch.setattr(skies_module, "describe_sky", lambda task: {"image": "data:,", "large": "x" * 10**6})
    whole = write_report(many, tmp_path / "whole.html", max_mb=0.9, n_jobs=1)
    facts = len(json.dumps(element(whole.path.read_text(encoding="utf-8"), "facts"), separators=(",", ":")))
    limit = (whole.n_bytes - 0.5 * facts + 8000) / 1e6
    done = write_report(many, tmp_path / "report.html", max_mb=limit, n_jobs=1)
    assert any(note.startswith("contributions and evidence of all skies") for note in done.notes)
    assert done.n_bytes <= 1e6 * limit
