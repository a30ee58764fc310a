"""What every page of measurements begins with, and how its tables are written."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"


def version_of(package: str) -> str:
    """Version of an installed package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def header(title: str, command: str, versions: dict[str, str], text: str) -> str:
    """Return the beginning of a page: what made it, with what, on what kind of machine."""
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"# {title}\n\nWritten by `{command}`: {made}; {machine}.\n\n{text.strip()}\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Return a markdown table; the first `left` columns are text, the others numbers."""
    rule = ["---" if i < left else "---:" for i in range(len(columns))]
    lines = [columns, rule, *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write(name: str, parts: Iterable[str]) -> Path:
    """Write docs/`name` from its parts, a blank line between them."""
    DOCS.mkdir(exist_ok=True)
    path = DOCS / name
    path.write_text("\n".join(parts))
    return path


def seconds(value: float | None) -> str:
    """Return a duration with two or three digits."""
    if value is None:
        return "-"
    if value < 0.0995:
        return f"{value * 1000:.3g} ms"
    return f"{value:.2f} s" if value < 9.95 else f"{value:.0f} s"


def short(value: float) -> str:
    """Return a number with four digits."""
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-3:
        return f"{value:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:.4g}"


class Kept:
    """Results in a file of JSON lines, so that a long run which was interrupted can go on."""

    def __init__(self, path: str | None) -> None:
        """Read what is there; without a path nothing is kept."""
        self.path, self.known = Path(path) if path else None, {}
        if self.path and self.path.exists():
            lines = self.path.read_text().splitlines()
            self.known = {json.dumps(key): value for key, value in map(json.loads, lines)}

    def get(self, key: list[Any], make: Callable[[], Any]) -> Any:
        """Return the result for a key, from the file or from `make`."""
        name = json.dumps(key)
        if name not in self.known:
            self.known[name] = make()
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps([key, self.known[name]]) + "\n")
        return self.known[name]
