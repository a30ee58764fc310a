"""The CDNOW sample and the model fitted to its first 39 weeks."""

import pytest
from value_cases import CDNOW

from clvmodel.datasets import load_cdnow
from clvmodel.tables.summary import summarize
from clvmodel.value.value_model import ValueModel


@pytest.fixture(scope="session")
def cdnow_orders():
    return load_cdnow(sample=True)


@pytest.fixture(scope="session")
def weeks(cdnow_orders):
    return summarize(cdnow_orders, **CDNOW, end="1997-09-30", unit="W")


@pytest.fixture(scope="session")
def fitted(weeks):
    return ValueModel().fit(weeks)
