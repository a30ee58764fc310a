"""Where the reference values lie: the copy beside this file and, where it exists, their origin."""

import json
from pathlib import Path
from typing import Any

COPY = Path(__file__).parent / "values"
ORIGIN = Path(__file__).parents[3] / "shared" / "golden"
SOURCES = {"copy": COPY} | ({"origin": ORIGIN} if (ORIGIN / "grid.json").exists() else {})
COPIED_GRIDS = ("bgnbd", "mbgnbd", "pnbd", "gg", "bgbb", "sbg")
COPIED_MODELS = ("BG/NBD", "MBG/NBD", "Pareto/NBD", "Gamma-Gamma", "BG/BB", "sBG", "data")


def grid(source: Path, model: str) -> list[dict[str, Any]]:
    return json.loads((source / "grid.json").read_text(encoding="utf-8"))[model]


def published(source: Path) -> dict[str, dict[str, Any]]:
    text = (source / "published.json").read_text(encoding="utf-8")
    entries = json.loads(text)["entries"]
    return {entry["id"]: entry for entry in entries if entry["model"] in COPIED_MODELS}


def over_sources(read: Any) -> list[tuple[str, Any]]:
    """(id, row) for every row of every source."""
    return [
        (f"{source}-{name}", row)
        for source, folder in SOURCES.items()
        for name, row in read(folder)
    ]
