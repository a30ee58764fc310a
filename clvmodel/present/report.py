"""The comparison as one self-contained page: no script, nothing fetched, prints well.

Its content is plain data, sections of texts, tables and figures; HTML, Markdown and JSON render it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from clvmodel.errors import ParameterError
from clvmodel.evaluate.comparison import Comparison
from clvmodel.present import (
    basis,
    business_sections,
    comparison_sections,
    customer_sections,
    model_sections,
    view_sections,
)
from clvmodel.present.blocks import Bullets, Figure, Section, Text, section
from clvmodel.present.customer_sections import IDS
from clvmodel.present.markdown import markdown
from clvmodel.tables.files import write_text

if TYPE_CHECKING:
    from clvmodel.evaluate.diagnose import Diagnosis
    from clvmodel.tables.audit import Audit
    from clvmodel.tables.summary import Summary
    from clvmodel.value.cohorts import Cohorts
    from clvmodel.value.economics import UnitEconomics
    from clvmodel.value.segments import Segmentation
    from clvmodel.value.tiering import Tiering

TITLE = "Which forecast of customers is right?"
FORMATS = ("html", "md", "json")
_SHAPES = {"wide": (10.0, 4.4), "narrow": (4.7, 4.0)}  # inches, for desks and for phones


@dataclass(frozen=True)
class Parts:
    """What a report shows besides the comparison; a section without its part is left out."""

    model: Any = None
    summary: Summary | None = None
    scores: Any = None
    audit: Audit | None = None
    diagnosis: Diagnosis | None = None
    segments: Segmentation | None = None
    tiers: Tiering | None = None
    cohorts: Cohorts | None = None
    economics: UnitEconomics | None = None
    ids: str = "show"
    horizon: Any = None
    margin: Any = None

    def __post_init__(self) -> None:
        """Refuse a way to show ids that there is not, and parts of another kind."""
        basis.check_parts(vars(self))
        if self.ids not in IDS:
            raise ParameterError.not_one_of("ids", self.ids, IDS)


def write_report(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    format: str = "html",
    **parts: Any,
) -> str:
    """Render a comparison; return it as text, or write it to `path` and return the path.

    `format` is "html" (one page, which needs nothing else), "md" (Markdown, without the figures) or
    "json" (the same content as plain data). `parts` add sections: model (a fitted value model) with
    its summary, scores (`model.predict`), audit, diagnosis, segments, tiers, cohorts, economics.
    `horizon` and `margin` are those that scores, and tiers without segments, were made with, so
    that the report says so: they cannot be seen in the tables.
    `ids` says whether customers are named: "show", "hash" (names that only who has the data can
    trace back) or "hide".

    The same comparison gives the same bytes. The file appears whole or not at all; its folder is
    made if need be. Raises ParameterError, and FileError if it cannot be written.
    """
    if format not in FORMATS:
        raise ParameterError.not_one_of("format", format, FORMATS)
    unknown = [name for name in parts if name not in Parts.__dataclass_fields__]
    if unknown:
        raise ParameterError.not_one_of("parts", unknown[0], list(Parts.__dataclass_fields__))
    found = content(comparison, Parts(**parts))
    if format == "json":
        plain = {"title": TITLE, "sections": [_finite(s.to_dict()) for s in found]}
        page = json.dumps(plain, indent=1, ensure_ascii=False, default=str) + "\n"
    elif format == "md":
        page = markdown(TITLE, found)
    else:
        page = _html(comparison, found)
    if path is None:
        return page
    write_text(path, page.encode("utf-8", "replace").decode())
    return str(path)


def content(comparison: Comparison, parts: Parts) -> list[Section]:
    """All sections of the report, with those left out named at the end."""
    every = [
        *comparison_sections.first(comparison, parts),
        *view_sections.views(comparison),
        comparison_sections.assumptions(comparison),
        *model_sections.fitted(comparison, parts),
        *customer_sections.customers(parts, comparison.days),
        *business_sections.decisions(parts),
        comparison_sections.failed(comparison),
    ]
    there = [s for s in every if s is not None and not s.missing]
    missing = [f"{s.title}: {s.missing}" for s in every if s is not None and s.missing]
    if missing:
        told = Text("These sections are left out, each for its reason.", soft=True)
        there.append(section("left-out", "What is not in this report", told, Bullets((*missing,))))
    return [*there, comparison_sections.reproduce(comparison, parts.ids)]


def _html(comparison: Comparison, sections: list[Section]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("clvmodel.present"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(
        title=TITLE,
        source=str(comparison.data.get("source", "")),
        period=comparison_sections.period(comparison),
        sections=sections,
        picture=_picture,
    )


def _picture(figure: Figure) -> dict[str, str]:
    """Return a figure as SVG for desks and for phones."""
    from clvmodel.present.style import drawn

    return {
        shape: drawn(figure.draw, size=size, name=f"{figure.name}-{shape}", text=figure.text)
        for shape, size in _SHAPES.items()
    }


def _finite(plain: Any) -> Any:
    """The same without numbers that JSON lacks: None, or the text "inf"."""
    if isinstance(plain, dict):
        return {name: _finite(part) for name, part in plain.items()}
    if isinstance(plain, list | tuple):
        return [_finite(part) for part in plain]
    if isinstance(plain, float) and not isfinite(plain):
        return None if plain != plain else str(plain)
    return plain
