"""The CDNOW sample as the papers cut it, and the fits to it."""

import pytest

import clvmodel as clv
from clvmodel.datasets import load_cdnow
from clvmodel.tables.summarize import summarize


@pytest.fixture(scope="session")
def orders():
    return load_cdnow(sample=True)


@pytest.fixture(scope="session")
def cdnow(orders):
    return _summary(orders, end="1997-09-30")


@pytest.fixture(scope="session")
def cdnow_whole(orders):
    return _summary(orders, end="1998-06-30")


@pytest.fixture(scope="session")
def bg_nbd(cdnow):
    return clv.fit(clv.BGNBD, cdnow)


@pytest.fixture(scope="session")
def gamma_gamma(cdnow):
    return clv.fit(clv.GammaGamma, cdnow)


def _summary(orders, end):
    return summarize(orders, customer="customer_id", date="date", value="amount", end=end, unit="W")
