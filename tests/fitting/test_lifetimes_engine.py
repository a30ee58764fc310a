"""The lifetimes engine is lazy, leaves no trace, fails in our words, and is not needed."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import clvmodel as clv
from clvmodel.fitting.lifetimes_engine import LifetimesError

ROOT = Path(__file__).parents[2]
DATA = """
    import numpy as np
    import clvmodel as clv
    x, t_x, T, *_ = clv.BGNBD(0.8, 8.0, 0.9, 2.5).simulate(np.full(2000, 40.0), seed=1)
    data = {"frequency": x, "recency": t_x, "T": T}
"""


def run(*parts):
    """Run code in a fresh interpreter and return what it printed."""
    code = "\n".join(textwrap.dedent(part) for part in parts)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_native_fits_do_not_import_it():
    assert run(DATA, "import sys; clv.fit(clv.BGNBD, data); print('lifetimes' in sys.modules)") == [
        "False"
    ]


def test_it_leaves_filters_and_options_alone():
    printed = run(
        DATA,
        """
        import warnings
        import pandas as pd
        def state():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    option = pd.get_option("mode.chained_assignment")
                except KeyError:
                    option = None
            return list(warnings.filters), option
        before = state()
        fit = clv.fit(clv.BGNBD, data, engine="lifetimes")
        print(fit.engine, before == state())
        """,
    )
    assert printed == ["lifetimes", "True"]


def test_everything_else_works_without_it():
    printed = run(
        "import sys; sys.modules['lifetimes'] = None",
        DATA,
        """
        print(clv.fit(clv.BGNBD, data).converged)
        try:
            clv.fit(clv.BGNBD, data, engine="lifetimes")
        except clv.MissingDependencyError as error:
            print("lifetimes" in str(error), isinstance(error, ImportError))
        """,
    )
    assert printed == ["True", "True", "True"]


def test_a_broken_import_is_our_error_too():
    printed = run(
        """
        import sys
        class Broken:
            def find_spec(self, name, path=None, target=None):
                if name == "lifetimes":
                    raise AttributeError("module 'pandas' has no attribute 'gone'")
        sys.meta_path.insert(0, Broken())
        """,
        DATA,
        """
        try:
            clv.fit(clv.BGNBD, data, engine="lifetimes")
        except clv.MissingDependencyError as error:
            print("gone" in str(error))
        """,
    )
    assert printed == ["True"]


def test_its_failure_is_our_error():
    never = {"frequency": [0.0], "recency": [0.0], "T": [0.0]}
    with pytest.raises(LifetimesError, match=r"lifetimes could not fit BGNBD: .+"):
        clv.fit(clv.BGNBD, never, engine="lifetimes")
    assert issubclass(LifetimesError, clv.ClvError)
    assert issubclass(LifetimesError, RuntimeError)
