"""What a report is made of: sections of texts, tables and figures, before anything renders it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clvmodel.present.plots import Line


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a smaller note below, whether it is the best of its column.

    `value` is the number behind the text, where there is one.
    """

    text: str
    best: bool = False
    note: str = ""
    value: Any = None


class Block:
    """One part of a section."""

    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, **_plain(vars(self))}


@dataclass(frozen=True)
class Text(Block):
    """A paragraph; `soft` for a remark."""

    text: str
    soft: bool = False
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Verdict(Block):
    """What matters most: sentences, the first one in bold."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "verdict"


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a section."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Bullets(Block):
    """A list of sentences."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Pairs(Block):
    """Names with what they stand for; `terms` for explanations rather than values."""

    rows: tuple[tuple[str, str], ...]
    terms: bool = False
    kind: ClassVar[str] = "pairs"


@dataclass(frozen=True)
class Code(Block):
    """A command."""

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table(Block):
    """Rows of cells whose first one names the row; columns from `texts` on are numbers.

    `stack` lets a phone show each row as a paragraph; `total` marks the last row as a sum;
    `folded` hides it until it is asked for.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    texts: int = 1
    stack: bool = False
    total: bool = False
    folded: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Figure(Block):
    """A picture: `text` describes it to those who do not see it, `data` is what it draws.

    `draw` puts it on axes. `lines` are the entries of its legend, if it has none within.
    """

    name: str
    text: str
    caption: str
    draw: Callable[[Axes], Any] = field(repr=False)
    data: Any = None
    lines: tuple[Line, ...] = ()
    kind: ClassVar[str] = "figure"

    def to_dict(self) -> dict[str, Any]:
        """Return what it draws, not how."""
        plain = {"name": self.name, "text": self.text, "caption": self.caption}
        return {"kind": self.kind, **plain, "data": self.data}


@dataclass(frozen=True)
class Cards(Block):
    """Small sections side by side."""

    cards: tuple[Section, ...]
    kind: ClassVar[str] = "cards"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, "cards": [card.to_dict() for card in self.cards]}


@dataclass(frozen=True)
class Section:
    """A part of the report with an id of its own, or the reason why it is `missing`."""

    id: str
    title: str
    blocks: tuple[Block, ...] = ()
    missing: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        blocks = [block.to_dict() for block in self.blocks]
        return {"id": self.id, "title": self.title, "blocks": blocks}


def section(id: str, title: str, *blocks: Block | Iterable[Block] | None) -> Section:
    """Return a section of these blocks; None and empty lists are passed over."""
    found: list[Block] = []
    for block in blocks:
        if isinstance(block, Block):
            found.append(block)
        elif block is not None:
            found += block
    return Section(id, title, tuple(found))


def cells(values: Sequence[Any], show: Callable[[Any], str] = str) -> tuple[Cell, ...]:
    """Cells of values, with the text that `show` gives them."""
    return tuple(v if isinstance(v, Cell) else Cell(show(v), value=v) for v in values)


def row(name: Any, *values: Any, show: Callable[[Any], str] = str) -> tuple[Cell, ...]:
    """Return a row of a table: its name, then the cells of these values."""
    return (Cell(str(name)), *cells(values, show))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, Cell):
        return vars(value) if value.value is not None else value.text
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
