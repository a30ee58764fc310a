"""A report's sections as Markdown: the same content without the pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from clvmodel.present.blocks import Cell, Section

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")


def markdown(title: str, sections: Iterable[Section]) -> str:
    """Return the sections as one text; what the data say is escaped, so that it stays text."""
    lines = [f"# {escaped(title)}"]
    for part in sections:
        lines += ["", f"## {escaped(part.title)}"]
        lines += [text for block in part.blocks for text in ("", _KINDS[block.kind](block, 3))]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown takes for nothing else, in one line.

    >>> escaped("a|b <i>*c*")
    'a\\\\|b \\\\<i\\\\>\\\\*c\\\\*'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def _text(block: Any, _: int) -> str:
    return f"*{escaped(block.text)}*" if block.soft else escaped(block.text)


def _verdict(block: Any, _: int) -> str:
    first, *others = block.items
    return "\n>\n".join([f"> **{escaped(first)}**", *(f"> {escaped(text)}" for text in others)])


def _bullets(block: Any, _: int) -> str:
    return "\n".join(f"- {escaped(text)}" for text in block.items)


def _pairs(block: Any, _: int) -> str:
    return "\n".join(f"- **{escaped(name)}**: {escaped(text)}" for name, text in block.rows)


def _code(block: Any, _: int) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
    return f"{fence}\n{block.text}\n{fence}"


def _table(block: Any, _: int) -> str:
    marks = [":--" if i < block.texts else "--:" for i, _ in enumerate(block.head)]
    rows = [[_cell(cell) for cell in row] for row in block.rows]
    lines = [[escaped(name) for name in block.head], marks, *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{escaped(block.caption)}\n\n{table}" if block.caption else table


def _cell(cell: Cell) -> str:
    text = escaped(cell.text + (f" ({cell.note})" if cell.note else ""))
    return f"**{text}**" if cell.best else text


def _figure(block: Any, _: int) -> str:
    return f"Figure: {escaped(block.text)} {escaped(block.caption)}"


def _cards(block: Any, level: int) -> str:
    parts = []
    for card in block.cards:
        parts += [f"{'#' * level} {escaped(card.title)}"]
        parts += [_KINDS[inner.kind](inner, level + 1) for inner in card.blocks]
    return "\n\n".join(parts)


_KINDS: dict[str, Callable[[Any, int], str]] = {
    "text": _text,
    "verdict": _verdict,
    "heading": lambda block, level: f"{'#' * level} {escaped(block.text)}",
    "bullets": _bullets,
    "pairs": _pairs,
    "code": _code,
    "table": _table,
    "figure": _figure,
    "cards": _cards,
}
