"""Orders to summarize: a small history worked by hand, and the CDNOW sample."""

import pandas as pd
import pytest
from order_cases import HAND_ROWS

from clvmodel.datasets import load_cdnow


@pytest.fixture
def orders():
    frame = pd.DataFrame(HAND_ROWS, columns=["who", "when", "paid"])
    frame["when"] = pd.to_datetime(frame["when"])
    return frame


@pytest.fixture(scope="session")
def cdnow():
    return load_cdnow(sample=True)
