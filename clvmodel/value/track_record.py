"""What a fitted purchase model says of the past and of single numbers: to check it by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.fitting.covariates import CovariateModel
from clvmodel.tables.cells import collapse
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in
from clvmodel.value.outlook import Outlook
from clvmodel.value.predictions import horizon_of

Array = NDArray[np.float64]


class TrackRecord:
    """Mixin of fitted models with a purchase fit, `purchases`."""

    purchases: Any

    def expected_cumulative(self, summary: Summary, days: Array) -> Array:
        """Repeat purchases that the model expects from all customers together by each day.

        `days` counts from the summary's start. Each customer counts as new at the first purchase;
        nothing that came later is used: the tracking curve of the literature.
        """
        unit, model = days_in(self.purchases.unit), self.purchases.model
        age = np.rint(summary.T * days_in(summary.unit))
        if isinstance(model, CovariateModel):
            cells = collapse([age, *model.design.codes(summary)])
            since = np.maximum(days[:, None] - (np.max(age) - cells.columns[0]), 0.0) / unit
            each = model.at_codes(cells.columns[1:]).expected_purchases(since)
            return np.asarray(each @ cells.weight)
        joined, number = np.unique(age.max() - age, return_counts=True)
        since = np.maximum(days[:, None] - joined, 0.0)
        distinct, where = np.unique(since, return_inverse=True)
        curve = model.expected_purchases(distinct / unit)
        return np.asarray(curve[where.reshape(since.shape)] @ number)

    def expected_frequencies(self, summary: Summary, most: int = 7) -> Array:
        """Customers with 0, 1, ..., `most` - 1 and with more repeat purchases that are expected.

        Each customer counts as new at the first purchase and is watched for T, as in the summary:
        what its table of frequencies should be like if the model is right.
        """
        model = self.purchases.model
        times = summary.in_unit(self.purchases.unit).T
        codes = model.design.codes(summary) if isinstance(model, CovariateModel) else ()
        cells = collapse([times, *codes], rows=False)
        T, *given = (column[:, None] for column in cells.columns)
        point = model.at_codes(given) if isinstance(model, CovariateModel) else model
        chance = np.asarray(point.pmf(np.arange(most), T))
        expected = np.append(cells.weight @ chance, 0.0)
        expected[most] = len(summary) - expected.sum()
        return np.asarray(expected)

    def purchase_chances(self, summary: Summary, n: Array, horizon: Any) -> tuple[Array, Array]:
        """(P(exactly n), P(at most n)) purchases within `horizon`, n given for each customer."""
        t, unit = horizon_of(self, summary, horizon)
        model = self.purchases.model
        outlook = Outlook.of(model, summary.in_unit(unit))
        kinds = collapse([outlook.where.astype(float), np.asarray(n, float)])
        cell, number = kinds.columns[0].astype(np.intp), kinds.columns[1]
        alive = outlook.alive(model)[cell]
        new = outlook.new(model, outlook.state[cell])
        exactly = alive * new.pmf(number, t) + (1 - alive) * (number == 0)
        upto = 1 - alive * (1 - new.cdf(number, t))
        return exactly[kinds.where], upto[kinds.where]
