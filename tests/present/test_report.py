"""The report: one page that needs nothing else, says what the numbers say, and is written whole."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import Page

from clvmodel.errors import FileError
from clvmodel.evaluate.comparison import Comparison, Result
from clvmodel.present.report import write_report
from clvmodel.present.words import meaning


@pytest.fixture(scope="module")
def shown(same_comparison: Comparison) -> Page:
    """The page of `comparison`, rendered once."""
    return Page(write_report(same_comparison))


def with_scores(comparison: Comparison, **changes: dict[str, Any]) -> Comparison:
    """Change metrics of candidates (by name) for both targets."""
    scores = tuple(s | changes.get(s["candidate"], {}) for s in comparison.scores)
    return dataclasses.replace(comparison, scores=scores)


def test_nothing_is_fetched_and_nothing_runs(comparison: Comparison, no_value: Comparison) -> None:
    for page in (write_report(comparison), write_report(no_value)):
        parsed = Page(page)
        tags = {tag for tag, _ in parsed.elements}
        assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
        assert "http:" not in page
        assert "https:" not in page
        assert "@import" not in page
        for _, attributes in parsed.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "src"]
            for name in ("href", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")


def test_links_lead_somewhere_and_ids_are_unique(shown: Page) -> None:
    parsed = shown
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a.get("href") or a.get("xlink:href") or "")[1:] for _, a in parsed.elements} - {""}
    assert targets <= set(ids)
    assert {"answer", "data", "measures", "plots", "parameters", "failed", "reproduce"} <= targets


def test_hostile_names_are_text(comparison: Comparison) -> None:
    page = write_report(comparison)
    assert "<script" not in page.lower()
    assert "<b>model" not in page
    text = Page(page).text
    assert 'Churn formula <script>alert("x")</script>' in text
    assert "Broken <b>model</b>" in text
    assert "orders <script>.csv" in text


def test_every_picture_has_words(shown: Page) -> None:
    pictures = shown.named("svg")
    assert len(pictures) > 4
    assert all(p["role"] == "img" and p["aria-label"] for p in pictures)
    assert any("At the end: actual 4,000" in (p["aria-label"] or "") for p in pictures)


def test_same_bytes_in_every_process(comparison: Comparison, tmp_path: Path) -> None:
    page = write_report(comparison)
    assert write_report(comparison) == page
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from conftest import make_comparison\n"
        "make_comparison().to_html(sys.argv[2])"
    )
    path = tmp_path / "other.html"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    subprocess.run(command, check=True, env=environment, timeout=120)
    assert path.read_bytes() == page.encode()


def test_written_whole_into_a_new_folder(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.html"
    assert write_report(comparison, path) == str(path)
    assert path.read_text(encoding="utf-8") == write_report(comparison)
    assert os.listdir(path.parent) == ["report.html"]
    assert write_report(comparison, str(path)) == str(path)


@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_failure_leaves_the_old_report_and_nothing_else(
    step: str, comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(FileError, match=r"report\.html cannot be written: No space left") as caught:
        write_report(comparison, path)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["report.html"]
    assert path.read_text() == "old"


def test_an_impossible_path_is_one_clear_line(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_report(comparison, tmp_path)
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_report(comparison, tmp_path / "file" / "report.html")


def test_metrics_that_do_not_exist(comparison: Comparison) -> None:
    nothing = {"bias": None, "spearman": None, "top_decile": None}
    names = {r.name: nothing for r in comparison.results}
    text = Page(write_report(with_scores(comparison, **names))).text
    assert "Closest total" not in text
    assert "None" not in text


def test_without_values_purchases_decide(no_value: Comparison) -> None:
    text = Page(write_report(no_value)).text
    assert "About the number of purchases of each customer" in text
    assert "Value per customer" not in text
    assert "None" not in text
    assert "BG/NBD + Gamma-Gamma (both engines) is best by every measure." in text
    assert "The best model beats the best formula by every measure." in text


def test_the_answer_names_each_winner(shown: Page) -> None:
    text = shown.text
    assert "No candidate is best by every measure" in text
    assert "Store formula has the closest total" in text
    assert "Predicted 72,011, actual 73,120: 1.5% too low (−1,110)." in text
    assert "has the smallest MAE (by no clear margin)" in text
    assert "its total is 43.9% too low" in text
    assert "a model wins 2, a formula wins 1, and 1 cannot be told apart" in text


def test_one_candidate_alone_wins_nothing(comparison: Comparison) -> None:
    only = tuple(s for s in comparison.scores if s["candidate"] == "Run rate")
    alone = dataclasses.replace(comparison, scores=only, differences=())
    text = Page(write_report(alone)).text
    assert "Only Run rate was scored: there is nothing to compare." in text
    assert "There is no model, or no formula, to hold against the other." in text


def test_a_formula_that_wins_is_named_so(comparison: Comparison) -> None:
    won = {"bias": 0.0, "mae": 0.01, "rmse": 0.01, "top_decile": 0.99, "spearman": 0.99}
    text = Page(write_report(with_scores(comparison, **{"Run rate": won}))).text
    assert "A formula wins. Run rate is best by every measure." in text
    better = with_scores(comparison, **{"Run rate": won})
    clear = tuple(
        d | {"low": 1.0, "high": 2.0, "difference": 1.5, "reference": "Run rate"}
        for d in better.differences
    )
    text = Page(write_report(dataclasses.replace(better, differences=clear))).text
    assert "The best formula beats the best model by every measure: use the formula." in text
    assert "Every other candidate is clearly worse (95% intervals)." in text


def test_totals_reconcile_with_the_books(shown: Page) -> None:
    text = shown.text
    assert "Known at the cutoff (forecast and scored) 2,357 1,882 73,120" in text
    assert "First bought in the holdout (nobody's forecast) 112 160 5,234" in text
    assert "All, as in the books 2,469 2,042 78,354" in text


def test_parameters_in_words_and_engines_side_by_side(shown: Page) -> None:
    text = shown.text
    assert "once in 18.2 weeks" in text
    assert "leaves for good with a chance of 24.6%" in text
    assert "The mean value of a purchase, over customers, is 35.2" in text
    assert "agree: their parameters differ by at most 0.03%" in text


def test_failures_and_how_to_reproduce(shown: Page) -> None:
    text = shown.text
    assert "no customer has <two> purchases." in text
    assert "clvmodel compare 'orders <script>.csv' --cutoff 1997-09-30" in text
    assert "0f3ab29c11de" in text
    assert "clvmodel 0.1.0, numpy 2.4.6" in text


def test_nothing_left_to_compare(comparison: Comparison) -> None:
    bare = dataclasses.replace(
        comparison,
        results=(Result("Broken", "model", "", error="no."),),
        scores=(),
        differences=(),
        tracking={"dates": [], "actual": [], "predicted": {}},
        by_frequency={"groups": [], "customers": [], "actual": [], "predicted": {}},
        options={},
        versions={},
    )
    page = Page(write_report(bare))
    assert "No candidate could be scored." in page.text
    assert "answer" not in {a.get("id") for _, a in page.elements}


def test_an_unknown_model_and_an_unbounded_parameter(comparison: Comparison) -> None:
    fit = dict(comparison.results[0].fits[0])
    fit["model"] = fit["title"] = "NewModel"
    fit["parameters"] = [
        {"parameter": "k", "estimate": 3e7, "std_error": 1e300, "low": 1e-120, "high": 1e140}
    ]
    odd = dataclasses.replace(comparison, results=(Result("New", "model", "", (fit,)),))
    text = Page(write_report(odd)).text
    assert "k 30,000,000 0 to unbounded" in text


@pytest.mark.parametrize(
    ("model", "words"),
    [("BGNBD", "After each repeat purchase a"), ("MBGNBD", "After each purchase, the first too,")],
)
def test_each_purchase_model_has_its_words(model: str, words: str) -> None:
    names = ("r", "alpha", "a", "b")
    rows = [{"parameter": name, "estimate": 1.0} for name in names]
    said = meaning({"model": model, "unit": "W", "parameters": rows})
    assert any(words in sentence for sentence in said)
