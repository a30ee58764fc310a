import inspect
import pickle

import pytest

from clvmodel import errors
from clvmodel.errors import (
    ClvError,
    ColumnError,
    ConvergenceError,
    MissingDependencyError,
    ParameterError,
)

TREE = {
    "ParameterError": ValueError,
    "DataError": ValueError,
    "ColumnError": KeyError,
    "UnitError": ValueError,
    "FileError": OSError,
    "SparkError": RuntimeError,
    "IntegrationError": ArithmeticError,
    "MissingDependencyError": ImportError,
    "ConvergenceError": RuntimeError,
}


def test_every_error_is_ours_and_a_builtin():
    defined = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
        and kind is not ClvError
        and not issubclass(kind, Warning)
    }
    assert set(defined) == set(TREE)
    for name, kind in defined.items():
        assert issubclass(kind, ClvError)
        assert issubclass(kind, TREE[name])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ParameterError.not_positive("BGNBD", "r", -1.0),
            "BGNBD: r == -1.0, must be finite and > 0.",
        ),
        (
            ParameterError.not_one_of("engine", "R", ("native", "lifetimes")),
            "engine == 'R', must be one of 'native', 'lifetimes'.",
        ),
        (
            ParameterError.out_of_range("level", 2, "between 0 and 1"),
            "level == 2, must be between 0 and 1.",
        ),
        (
            ColumnError.missing("date", "day", ["days", "id"]),
            "date='day' is not a column; the columns are 'days', 'id'. Did you mean 'days'?",
        ),
        (
            ColumnError.missing("date", "when", ["id"]),
            "date='when' is not a column; the columns are 'id'.",
        ),
        (
            MissingDependencyError.for_feature("xlsxwriter", "to_excel", ImportError("not here")),
            "to_excel needs the package 'xlsxwriter', which cannot be imported (not here).",
        ),
    ],
)
def test_wording(error, message):
    assert str(error) == message
    assert str(pickle.loads(pickle.dumps(error))) == message


def test_many_columns_are_cut_short():
    message = str(ColumnError.missing("date", "day", (f"column_{i}" for i in range(100))))
    assert "'column_19', ...;" not in message
    assert "'column_19', ..." in message
    assert "column_20" not in message


def test_a_convergence_error_carries_the_fit():
    error = ConvergenceError("Not converged.", fit="the best point")
    assert error.fit == "the best point"
    assert str(error) == "Not converged."
