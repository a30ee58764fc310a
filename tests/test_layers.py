"""A file imports its own layer or one above it in the list; heavy packages have one owner."""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[1] / "clvmodel"

# Order of the layers, and what each may import from outside the standard library.
LAYERS = [
    ({"errors", "units", "__version__"}, {"numpy"}),
    ({"numerics"}, {"numpy", "scipy"}),
    ({"models"}, {"numpy", "scipy"}),
    ({"tables"}, {"numpy", "narwhals", "pyarrow"}),
    ({"fitting"}, {"numpy", "scipy"}),
    ({"value"}, {"numpy"}),
    ({"evaluate"}, {"numpy", "scipy"}),
    ({"present"}, {"numpy", "matplotlib", "jinja2", "markupsafe"}),
    ({"datasets"}, {"numpy"}),
    ({"cli", "__main__"}, {"typer"}),
]
RANK = {name: rank for rank, (names, _) in enumerate(LAYERS) for name in names}
STRANGERS = {("models", "tables"), ("tables", "models")}
# Imported inside functions of these files only, so that nothing else needs the package.
OWNED = {
    "duckdb": {"tables/duckdb_source.py"},
    "pyspark": {"tables/spark_source.py"},
    "pandas": {"tables/frames.py", "fitting/lifetimes_engine.py"},
    "lifetimes": {"fitting/lifetimes_engine.py"},
    "arviz": {"fitting/posterior.py"},
    "xlsxwriter": {"present/workbook.py"},
    "sklearn": {"evaluate/trees.py"},
    "threadpoolctl": {"evaluate/trees.py"},
}
# The looks ahead: `comparison.to_html()` is called on the value, and renders when it is called.
LOOK_AHEAD = {
    ("evaluate/comparison.py", "clvmodel.present.report"),
    ("evaluate/comparison.py", "clvmodel.present.workbook"),
}


def imports(tree):
    """Yield (module, is it imported when the file is, line) of every import that runs."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in tree.body, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import, line {node.lineno}"
            if node.module == "clvmodel":
                yield from ((f"clvmodel.{a.name}", False, node.lineno) for a in node.names)
            else:
                yield node.module, node in tree.body, node.lineno


def allowed(here, layer, name, at_top):
    top, *rest = name.split(".")
    if top == "clvmodel":
        there = rest[0]
        if (here, name) in LOOK_AHEAD:
            return not at_top
        return RANK[there] <= RANK[layer] and (layer, there) not in STRANGERS
    if top in OWNED:
        return here in OWNED[top] and not at_top
    return top in sys.stdlib_module_names or top in LAYERS[RANK[layer]][1]


def test_layers():
    broken = []
    for path in sorted(ROOT.rglob("*.py")):
        here = path.relative_to(ROOT).as_posix()
        layer = here.split("/")[0].removesuffix(".py")
        if layer == "__init__":
            continue
        for name, at_top, line in imports(ast.parse(path.read_text())):
            if not allowed(here, layer, name, at_top):
                broken.append(f"{here}:{line} imports {name}")
    assert not broken, "\n".join(broken)


def test_every_folder_has_a_layer():
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert folders <= set(RANK)
