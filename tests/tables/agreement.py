"""What a summary and an audit say of the same orders must add up, and be the same."""

import math

import pytest

from clvmodel.tables.audit import audit
from clvmodel.tables.rules import OCCASIONS
from clvmodel.tables.summarize import summarize


def reconciled(frame, roles, **options):
    """Summarize, and check that rows and amounts add up to those of the frame, in the audit too.

    Returns the summary, and the rows and amount of each reason to leave rows out.
    """
    summary, result = summarize(frame, **roles, **options), audit(frame, **roles, **options)
    found = summary.reconciliation
    excluded = {e.reason: (e.rows, e.amount) for e in found.excluded}
    assert found.rows == result.total == len(frame)
    assert found.rows == found.purchases + found.merged + sum(n for n, _ in excluded.values())
    assert found.purchases == summary.frequency.sum() + len(summary)
    amounts = [float(a) for a in frame[roles["value"]] if a is not None and math.isfinite(float(a))]
    whole = pytest.approx(math.fsum(amounts), rel=1e-9, abs=1e-6)
    assert found.amount + sum(amount for _, amount in excluded.values()) == whole
    assert math.fsum(summary.total_value) == pytest.approx(found.amount, rel=1e-9, abs=1e-6)

    rows = {a.reason: (a.rows, a.amount) for a in result.rows}
    assert sum(n for n, _ in rows.values()) == result.total
    assert sum(amount for _, amount in rows.values()) == whole
    occasion = OCCASIONS[options.get("occasion", "D")]
    merged = rows.pop(f"merged into a purchase of the same {occasion}", (0, 0.0))
    bought = rows.pop("purchases")
    assert (bought[0], merged[0]) == (found.purchases, found.merged)
    assert bought[1] + merged[1] == pytest.approx(found.amount, rel=1e-9, abs=1e-6)
    assert {reason: n for reason, (n, _) in rows.items()} == {
        r: n for r, (n, _) in excluded.items()
    }
    for reason, (_, amount) in rows.items():
        assert amount == pytest.approx(excluded[reason][1], rel=1e-9, abs=1e-6)
    assert result.customers == len(summary)
    return summary, excluded
