"""The two order histories that most of these tests read."""

import pytest
from order_cases import cdnow_sample, hand_orders


@pytest.fixture
def orders():
    return hand_orders()


@pytest.fixture
def cdnow():
    return cdnow_sample()
