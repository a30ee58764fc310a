"""The report with all its parts: its structure, its numbers, its names, and its other formats."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
import re
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pytest
import whole
from pages import Page
from whole import COLUMNS, NASTY

import clvmodel as clv
from clvmodel.present.customer_sections import report_ids
from clvmodel.value.watch import LISTS, watch

SECTIONS = [
    *("answer", "data", "measures", "plots", "frequency", "ranking", "groups", "churn"),
    *("intervals", "assumptions", "parameters", "variety", "histories", "checks", "customers"),
    *("segments", "tiers", "cohorts", "economics", "reproduce"),
]


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    return whole.orders()


@pytest.fixture(scope="module")
def comparison() -> clv.Comparison:
    return whole.comparison()


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return whole.parts()


@pytest.fixture(scope="module")
def source() -> str:
    return whole.source()


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


@pytest.fixture(scope="module")
def plain(comparison: clv.Comparison, parts: dict[str, Any]) -> dict[str, Any]:
    """The sections by id, as JSON."""

    def refuse(text: str) -> None:
        raise ValueError(text)

    text = comparison.to_html(format="json", **parts)
    found = json.loads(text, parse_constant=refuse)
    return {s["id"]: s["blocks"] for s in found["sections"]}


def tables(blocks: list[Any]) -> list[dict[Any, Any]]:
    """Each table as its rows by name: the values, or the texts, of the other cells."""

    def of(cell: Any) -> Any:
        return cell["value"] if isinstance(cell, dict) else cell

    found = (b for b in blocks if b["kind"] == "table")
    return [{of(r[0]): [of(c) for c in r[1:]] for r in table["rows"]} for table in found]


def test_contents_name_every_section(page: Page) -> None:
    assert [a["id"] for a in page.named("section")] == SECTIONS
    links = [a["href"] for a in page.named("a")]
    assert links == [f"#{name}" for name in SECTIONS]
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    inner = {(a.get("xlink:href") or "#")[1:] for _, a in page.elements} - {""}
    assert inner <= set(ids)


def test_a_reader_without_eyes_can_use_it(page: Page) -> None:
    assert page.named("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(a.get("scope") in ("col", "row") for a in page.named("th"))
    pictures = page.named("svg")
    assert len(pictures) > 30
    assert all(a["role"] == "img" and a["aria-label"] for a in pictures)
    regions = [a for a in page.named("div") if a.get("class") == "scroll"]
    assert regions
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in regions)
    assert len(page.named("figure")) == len(page.named("figcaption"))
    assert all(a["aria-label"] for a in page.named("nav"))


def test_nothing_is_fetched_and_nothing_runs(source: str, page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "image", "iframe", "object", "embed", "base"}
    assert not re.search(r"https?:|@import|url\((?!#)", source)
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
    assert len(source) < 3_000_000


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_text_stands_out_from_its_ground_in_every_scheme() -> None:
    """WCAG AA: a contrast of 4.5 to 1, in light, in dark and on paper."""
    text = files("clvmodel.present").joinpath("templates/report.html").read_text()
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6})", s)) for s in re.findall(r":root \{[^}]*", text)
    ]
    assert len(schemes) == 3
    assert luminance("#ffffff") == pytest.approx(1)
    for scheme in schemes:
        for ink, ground in itertools.product(("ink", "soft", "link"), ("paper", "tint", "mark")):
            pair = sorted((luminance(scheme[ink]), luminance(scheme[ground])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ink, ground, scheme)


def test_hostile_names_are_text(source: str, page: Page, orders: pd.DataFrame) -> None:
    assert "<script" not in source.lower()
    top = orders.groupby("who").paid.sum().nlargest(10).index
    assert set(NASTY) & set(top)
    assert all(name in page.text for name in set(NASTY) & set(top))


def test_scores_are_those_of_the_comparison(plain: Any, comparison: clv.Comparison) -> None:
    for table, target in zip(tables(plain["measures"]), ("value", "purchases"), strict=True):
        scores = {s["candidate"]: s for s in comparison.scores if s["target"] == target}
        assert table.keys() == scores.keys()
        metrics = ("predicted_total", "bias", "mae", "rmse", "top_decile", "spearman")
        for name, row in table.items():
            for shown, metric in zip(row[1:7], metrics, strict=True):
                assert shown == scores[name][metric] or scores[name][metric] is None


def test_groups_are_those_of_the_measures(plain: Any, comparison: clv.Comparison) -> None:
    rows = [m for m in comparison.measures if (m["target"], m["metric"]) == ("value", "bias")]
    kinds = list(dict.fromkeys(m["grouping"] for m in rows if m["grouping"] != "all"))
    assert len(tables(plain["groups"])) == len(kinds) == 3
    for table, kind in zip(tables(plain["groups"]), kinds, strict=True):
        for name, row in table.items():
            own = [m["value"] for m in rows if (m["grouping"], m["candidate"]) == (kind, name)]
            assert [v for v in row if not isinstance(v, str)] == [v for v in own if v is not None]


def test_views_are_those_of_the_fold(plain: Any, comparison: clv.Comparison) -> None:
    figures = {b["name"]: b["data"] for s in plain.values() for b in s if b["kind"] == "figure"}
    fold = json.loads(json.dumps(comparison.to_dict()["folds"][0]))
    assert figures["gain"] == fold["gains"]["value"]
    assert figures["deciles"] == fold["deciles"]["value"]
    assert figures["reliability"] == fold["reliability"]
    assert figures["coverage"] == fold["coverage"]
    assert figures["histogram"] == fold["frequencies"]
    tracking = {k: v for k, v in figures["tracking"].items() if k != "cutoff"}
    assert tracking == fold["tracking"]
    found = tables(plain["intervals"])[0]
    assert found["BG/NBD + Gamma-Gamma"][2] == fold["coverage"][-1]["coverage"]


def test_decisions_are_those_of_the_package(plain: Any, parts: dict[str, Any]) -> None:
    segments = parts["segments"].table().set_index("segment")
    for name, row in tables(plain["segments"])[0].items():
        assert row[0] == segments.loc[name, "customers"]
        assert row[5] == pytest.approx(segments.loc[name, "expected_value"], rel=1e-12)
    tiers = parts["tiers"].table.set_index("tier")
    assert [row[0] for row in tables(plain["tiers"])[0].values()] == tiers.customers.tolist()
    economics = tables(plain["economics"])[0]
    assert economics["Value of a new customer"][0] == parts["economics"].of("ltv")["model"]
    assert economics["Value of a new customer"][2] == parts["economics"].of("ltv")["formula"]
    cohorts = list(tables(plain["cohorts"])[0].values())
    shown = parts["cohorts"].retention[-len(cohorts) :, : len(cohorts[0])]
    for row, values in zip(cohorts, shown, strict=True):
        known = [v for v in row if not isinstance(v, str)]
        assert known == values[~np.isnan(values)].tolist()


def test_customers_by_hand(parts: dict[str, Any], plain: Any) -> None:
    summary, scores = parts["summary"], parts["scores"]
    value, chance = scores.expected_value.to_numpy(), scores.p_purchase.to_numpy()
    found = watch(summary, scores)
    assert [r["row"] for r in found["most valuable"]] == np.argsort(-value)[:10].tolist()
    past = np.where(chance < 0.5, summary.total_value, -1)
    assert [r["row"] for r in found["most at risk"]] == np.argsort(-past)[:10].tolist()
    for r in found["most overdue"]:
        i = r["row"]
        assert summary.frequency[i] >= 3
        assert chance[i] >= 0.3
        assert r["usual_gap"] == pytest.approx(summary.recency[i] / summary.frequency[i])
        assert r["days_silent"] == summary.T[i] - summary.recency[i] > r["usual_gap"]
    ratios = [r["days_silent"] / r["usual_gap"] for r in found["most overdue"]]
    assert ratios == sorted(ratios, reverse=True)
    ids = summary.ids.to_pylist()
    for table, name in zip(tables(plain["customers"]), LISTS, strict=True):
        assert list(table) == [ids[r["row"]] for r in found[name]]
    with pytest.raises(clv.DataError, match="5 rows"):
        watch(summary, scores.head(5))


@pytest.mark.parametrize("form", ["md", "json"])
@pytest.mark.parametrize("ids", ["hash", "hide"])
def test_ids_do_not_show(
    ids: str, form: str, comparison: clv.Comparison, parts: dict[str, Any]
) -> None:
    text = comparison.to_html(format=form, ids=ids, **parts)
    assert "client 0" not in text
    assert "script" not in text
    assert "calc" not in text
    assert comparison.to_html(format=form, ids=ids, **parts) == text


def test_hashed_names_are_the_owners_to_trace(parts: dict[str, Any], orders: pd.DataFrame) -> None:
    summary = parts["summary"]
    names = report_ids(summary)
    assert len(set(names)) == len(summary)
    assert all(re.fullmatch("[0-9a-f]{12}", name) for name in names)
    again = clv.summarize(orders.sample(frac=1, random_state=2), **COLUMNS, end="2025-12-31")
    assert dict(zip(again.ids.to_pylist(), report_ids(again), strict=True)) == dict(
        zip(summary.ids.to_pylist(), names, strict=True)
    )
    orders = orders.assign(paid=orders.paid.where(orders.index > 0, 1.0))  # one amount differs
    other = clv.summarize(orders, **COLUMNS, end="2025-12-31")
    assert not set(report_ids(other)) & set(names)


def test_ids_in_commands_and_findings_do_not_show(
    comparison: clv.Comparison, parts: dict[str, Any]
) -> None:
    told = clv.Finding("many_in_one", "warning", "'client 007' has 9 orders", "Look.", 9, 1)
    bad = dataclasses.replace(parts["audit"], findings=(told,))
    command = "clvmodel report x.csv --exclude-id 'client 008' --unit W"
    named = dataclasses.replace(comparison, options=comparison.options | {"command": command})
    shown = named.to_html(format="json", audit=bad)
    assert "client 007" in shown
    assert "client 008" in shown
    hidden = named.to_html(format="json", audit=bad, ids="hash")
    assert "client 00" not in hidden
    assert "1 customer id (not named here)." in hidden
    assert "--exclude-id NOT-SHOWN --unit W" in hidden


def test_markdown_holds_the_same(comparison: clv.Comparison, parts: dict[str, Any]) -> None:
    text = comparison.to_html(format="md", **parts)
    assert text.count("\n## ") == len(SECTIONS)
    assert "<script" not in re.sub(r"\\.", "", text)
    lines = [re.sub(r"\\.", "", line) for line in text.splitlines()]
    for one, other in itertools.pairwise(lines):
        if one.startswith("|") and other.startswith("|"):
            assert one.count("|") == other.count("|")
    score = next(s for s in comparison.scores if s["target"] == "value")
    assert f"{score['predicted_total']:,.0f}" in text


def test_written_to_a_file_and_in_a_notebook(comparison: clv.Comparison, tmp_path: Any) -> None:
    path = tmp_path / "report.md"
    assert comparison.to_html(path, format="md") == str(path)
    assert path.read_text(encoding="utf-8") == comparison.to_html(format="md")
    frame = comparison._repr_html_()
    assert frame.startswith("<iframe")
    inner = re.search(r'srcdoc="([^"]*)"', frame)
    assert inner is not None
    assert html.unescape(inner[1]) == comparison.to_html()


def test_what_is_missing_is_said(comparison: clv.Comparison) -> None:
    found = json.loads(comparison.to_html(format="json"))["sections"]
    ids = [s["id"] for s in found]
    gone = {"variety", "histories", "checks", "customers"}
    gone |= {"segments", "tiers", "cohorts", "economics"}
    assert ids == [*(s for s in SECTIONS[:-1] if s not in gone), "left-out", "reproduce"]
    told = next(s for s in found if s["id"] == "left-out")["blocks"][1]["items"]
    assert len(told) == len(gone) + 1  # and the audit
    assert any("no cost of winning a customer was given" in text for text in told)
    old = dataclasses.replace(comparison, folds=(), measures=(), contests=())
    left = [s["id"] for s in json.loads(old.to_html(format="json"))["sections"]]
    assert not {"ranking", "groups", "churn", "intervals"} & set(left)


def test_without_amounts(orders: pd.DataFrame) -> None:
    bought = {"customer": "who", "date": "when"}
    found = clv.backtest(orders, [clv.ValueModel(), clv.RunRate()], **bought, horizon="120D")
    summary = clv.summarize(orders, **bought)
    model = clv.ValueModel().fit(summary)
    parts = {"model": model, "summary": summary, "tiers": clv.tier(summary, model)}
    text = found.to_html(format="md", **parts, cohorts=clv.cohorts(summary, model))
    assert "Predicted purchases" in text
    assert "Predicted value" not in text
    assert "None" not in text


def test_a_model_with_covariates(orders: pd.DataFrame, comparison: clv.Comparison) -> None:
    """What customers do not share cannot be drawn for all: those sections say so."""
    summary = clv.summarize(orders, **COLUMNS)
    shop = pd.DataFrame({"customer_id": summary.ids.to_pylist()})
    shop["shop"] = np.where(np.arange(len(shop)) % 2, "north", "south")
    summary = summary.join(shop)
    model = clv.ValueModel(covariates={"alpha": "shop"}).fit(summary)
    found = json.loads(comparison.to_html(format="json", model=model, summary=summary))["sections"]
    told = next(s for s in found if s["id"] == "left-out")["blocks"][1]["items"]
    assert sum("covariates" in text for text in told) == 2
    assert "customers" in [s["id"] for s in found]


def test_several_cutoffs(orders: pd.DataFrame) -> None:
    found = clv.backtest(
        orders,
        [clv.ValueModel(), clv.RunRate()],
        **COLUMNS,
        n_cutoffs=2,
        horizon="60D",
        bootstrap=50,
    )
    text = found.to_html(format="md")
    assert "Means over 2 cutoffs" in text
    assert "All cutoffs; this page shows the latest" in text


def test_a_candidate_and_its_copy_cannot_be_told_apart(orders: pd.DataFrame) -> None:
    twins = [clv.RunRate(), clv.RunRate()]
    found = clv.backtest(orders, twins, **COLUMNS, horizon="120D", bootstrap=50)
    blocks = {s["id"]: s["blocks"] for s in json.loads(found.to_html(format="json"))["sections"]}
    sure = tables(blocks["answer"])[1]
    assert sure
    assert all(row[3] == "nobody" for row in sure.values())


def test_what_is_wrong_is_named(comparison: clv.Comparison) -> None:
    with pytest.raises(clv.ParameterError, match="format == 'pdf'"):
        comparison.to_html(format="pdf")
    with pytest.raises(clv.ParameterError, match="ids == 'all'"):
        comparison.to_html(ids="all")
    with pytest.raises(clv.ParameterError, match="'segment'"):
        comparison.to_html(segment=None)
