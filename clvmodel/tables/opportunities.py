"""Placeholder of the lead so that imports work: to be replaced as a whole."""

from typing import Any


class OpportunitySummary:
    """To be written."""


def check_opportunities(frequency: Any, recency: Any, n: Any) -> None:
    """To be written."""
