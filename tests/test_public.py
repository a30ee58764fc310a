"""The public face: every name is there, and a bare import is light."""

import json
import subprocess
import sys

import pytest

import clvmodel as clv

HEAVY = (
    "pandas",
    "matplotlib",
    "duckdb",
    "lifetimes",
    "jinja2",
    "typer",
    "scipy",
    "pyarrow",
    "pyspark",
)


@pytest.mark.parametrize("name", clv.__all__)
def test_every_public_name_loads_and_is_documented(name):
    assert getattr(clv, name).__doc__
    assert name in dir(clv)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pareto'"):
        _ = clv.pareto


def test_bare_import_is_light():
    code = "import json, sys, clvmodel; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert not loaded & set(HEAVY)


def test_installed_version_is_the_package_version():
    from importlib.metadata import version

    assert version("clvmodel") == clv.__version__
