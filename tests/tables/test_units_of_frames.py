"""A summary that carries its dates cannot be read in the wrong unit."""

import numpy as np
import pandas as pd
import pytest

from clvmodel.datasets import load_cdnow
from clvmodel.errors import UnitError
from clvmodel.tables.files import write_table
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT, UNIT_NAMES


def cdnow(unit):
    roles = {"customer": "customer_id", "date": "date", "value": "amount"}
    return summarize(load_cdnow(sample=True), **roles, end="1997-09-30", unit=unit)


@pytest.mark.parametrize("said", DAYS_IN_UNIT)
@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_times_that_do_not_fit_their_dates_are_refused(unit, said):
    frame = cdnow(unit).frame
    if said == unit:
        back = Summary.from_frame(frame, unit=said, end="1997-09-30")
        np.testing.assert_array_equal(back.recency, cdnow(unit).recency)
        return
    with pytest.raises(UnitError) as caught:
        Summary.from_frame(frame, unit=said)
    assert f"'{said}', {UNIT_NAMES[said]}" in str(caught.value)
    assert f"in {UNIT_NAMES[unit]}: unit='{unit}'" in str(caught.value)


def test_times_in_no_unit():
    frame = cdnow("D").frame
    with pytest.raises(UnitError, match="in no unit"):
        Summary.from_frame(frame.assign(T=2 * frame["T"], recency=2 * frame["recency"]), unit="D")


def test_without_dates_a_unit_is_believed():
    frame = cdnow("D").frame.drop(columns=["first_purchase"])
    assert Summary.from_frame(frame, unit="W").unit == "W"


def test_dates_in_csv_are_days(tmp_path):
    path = tmp_path / "summary.csv"
    write_table(read_frame(cdnow("D").frame)[0], path)
    read = pd.read_csv(path)
    assert read["first_purchase"][0] == "1997-01-01"
    back = Summary.from_frame(pd.read_csv(path, parse_dates=["first_purchase"]), unit="D")
    np.testing.assert_array_equal(back.T, cdnow("D").T)
