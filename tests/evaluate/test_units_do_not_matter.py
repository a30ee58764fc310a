"""Every candidate forecasts the same, whatever the unit of the summary it is shown."""

import numpy as np
import pytest

from clvmodel.datasets import load_cdnow
from clvmodel.evaluate.backtest import default_candidates
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summarize import summarize


@pytest.fixture(scope="module")
def summaries():
    orders = load_cdnow(sample=True)
    columns = {"customer": "customer_id", "date": "date", "value": "amount"}
    return {u: summarize(orders, **columns, end="1997-09-30", unit=u) for u in "DWMY"}


@pytest.mark.parametrize("candidate", default_candidates(), ids=lambda c: c.name)
@pytest.mark.parametrize("unit", ["W", "M", "Y"])
def test_same_forecast(candidate, unit, summaries):
    fitted = candidate.fit(summaries["D"])
    expected, got = (read_frame(fitted.predict(summaries[u], "100D"))[0] for u in ("D", unit))
    for name in ("expected_purchases", "expected_value"):
        np.testing.assert_allclose(got[name].to_numpy(), expected[name].to_numpy(), rtol=1e-9)
