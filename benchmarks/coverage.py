"""Count how often prediction intervals hold what then happened; writes docs/coverage.md."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import page
import pandas as pd
from scipy.stats import beta

import clvmodel as clv
from clvmodel.tables.purchases import to_day
from clvmodel.units import days_in

LEVELS, TAIL = (0.5, 0.8, 0.95), 0.025
ENDS = (0.025, 0.1, 0.25, 0.75, 0.9, 0.975)  # of the central intervals
SIZE, AHEAD, DRAWS = 20_000, 180.0, 100  # simulated customers, days; parameters as in `predict`
BG, MBG = clv.BGNBD(0.5, 40.0, 0.8, 2.5), clv.MBGNBD(0.7, 50.0, 0.8, 2.5)
TRUTHS = (BG, MBG, clv.ParetoNBD(0.6, 60.0, 0.7, 150.0))
SPEND = clv.GammaGamma(3.0, 3.5, 30.0)
DONORS, PAST, NEXT = clv.BGBB(1.204, 0.750, 0.657, 2.783), 6, 5  # estimated for the donations
SHOP = page.DOCS.parent / "data" / "sample" / "shop_orders.csv"
SHOP_TRUTH = (clv.BGNBD(0.6, 60.0, 0.7, 2.8), clv.GammaGamma(6.0, 4.0, 25.0))
HEADS = ["model, of what", "group", "customers", "50%", "80%", "95%", "below 95%", "above 95%"]

TEXT = """
For each customer there is a predictive distribution of the number of purchases ahead, and of the
money they bring. **Measured is the share of customers whose actual number lies in the central 50%,
80% and 95% of it**, and the shares below and above the central 95%, which should be 2.5% each.

Counts are lumps of chance, money has a lump at 0, and no interval cuts a lump. So a customer's rank
is uniform between the predicted chance of less than what happened and that of as much or less
(randomised PIT): if predictions are right, 80% of ranks lie within 0.1 and 0.9. Shares are averages
over that randomness. For most one-purchase customers almost all of the chance is at 0, where those
who buy nothing are spread evenly: the share above, and *buyers*, actual over expected, say more.

Shares are in %, with their binomial 95% interval (Clopper and Pearson; wide, as lumps vary less),
**bold where that does not hold the nominal share**: by chance, at most one cell of twenty. That
takes customers as independent; wrong parameters, which are estimated, are wrong for all of them.
*Top decile*: by spend until the cutoff (BG/BB: by purchases). Those chosen for a dear first
purchase spend more than predicted, unless it counts in the estimate (`spend_includes_first`).
"""
PLAIN = """## The columns of `predict`, as they are

Shares, in %, from one quantile column to the other, ends included. They should be no less than
their level, and are mostly more: most lower ends are 0, and whole numbers are held whole.
"""
CUT = "1997-09-30"
CDNOW = f"Real: first purchases in early 1997. Fitted until {CUT}, predicted until 1998-06-30."
INVENTED = """Invented by BG/NBD and Gamma-Gamma, and messy (data/sample/README.md); rows that stand
there twice are dropped. Fitted until 2025-06-30, predicted until 2025-12-31; two laws are wrong."""
LONG = "repeat, silent 26 weeks or more"
PARTS = ("one purchase", "repeat, silent under 13 weeks", "repeat, silent 13 to 26 weeks", LONG)


class Case(NamedTuple):
    """What was known of customers, and what they then did, in the unit of the summary."""

    summary: clv.Summary
    horizon: float
    purchases: np.ndarray
    value: np.ndarray

    @property
    def history(self) -> tuple[np.ndarray, ...]:
        """Repeat purchases, the last one's time, time observed."""
        return self.summary.frequency, self.summary.recency, self.summary.T

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """All customers, those with one purchase, the top decile."""
        return grouped(self.summary.frequency, self.summary.total_value)


class Ranks(NamedTuple):
    """Predicted chances of less than what happened, and of as much or less."""

    below: np.ndarray
    upto: np.ndarray

    def inside(self, low: float, high: float) -> np.ndarray:
        """The chance of each customer's rank to lie between these."""
        lump = self.upto - self.below
        held = np.clip(self.upto, low, high) - np.clip(self.below, low, high)
        at = (self.below >= low) & (self.below <= high)
        return np.where(lump > 0, held / np.where(lump > 0, lump, 1.0), at)


def counts(models: Any, t: float, ahead: np.ndarray, history: Any) -> Ranks:
    """Ranks in the distribution of counts, averaged over models."""
    return Ranks(*(np.mean([m.cdf(k, t, *history) for m in models], 0) for k in (ahead - 1, ahead)))


def ranks_of(fitted: Any, case: Case, uncertain: bool = False) -> dict[str, Ranks]:
    """Ranks of purchases and of money."""
    fit = fitted.purchases
    models = [fit.at(d) for d in fit.sample(DRAWS, seed=1).draws] if uncertain else [fit.model]
    options = {"value_above": case.value, "parameter_uncertainty": uncertain}
    got = fitted.predict(case.summary, case.horizon, **options)
    upto = 1 - got["p_value_above"].to_numpy()
    money = Ranks(np.where(case.value > 0, upto, 0.0), upto)
    return {"purchases": counts(models, case.horizon, case.purchases, case.history), "money": money}


def grouped(count: np.ndarray, worth: Any) -> dict[str, np.ndarray]:
    """Customers in groups, by repeat purchases and worth."""
    top = worth >= np.quantile(worth, 0.9)
    return {"all": np.ones(count.size, bool), "one purchase": count == 0, "top decile": top}


def share(inside: np.ndarray, span: tuple[float, float]) -> str:
    """How many are inside, in %, with the interval of that share."""
    n, held = inside.size, np.clip(inside.sum(), 1e-9, inside.size - 1e-9)
    low, high = beta.ppf(TAIL, held, n - held + 1), beta.ppf(1 - TAIL, held + 1, n - held)
    mark = "" if low <= span[1] - span[0] <= high else "**"
    return f"{mark}{100 * inside.mean():.1f}{mark} ({100 * low:.1f} to {100 * high:.1f})"


def coverage(name: str, found: dict[str, Ranks], groups: dict[str, np.ndarray]) -> list[list[str]]:
    """Rows of a coverage table: of purchases and of money, for each group of customers."""
    spans = [*zip(ENDS[2::-1], ENDS[3:], strict=True), (0.0, TAIL), (1 - TAIL, 1.0)]
    return [
        [f"{name}, {kind}", group, f"{m.sum():,}", *(share(r.inside(*ab)[m], ab) for ab in spans)]
        for kind, r in found.items()
        for group, m in groups.items()
    ]


def covered(rows: list[list[str]]) -> str:
    """How many cells of a coverage table are bold, and the table."""
    cells = ["**" in cell for row in rows for cell in row[3:]]
    return f"{sum(cells)} of {len(cells)} cells are bold.\n\n" + page.table(HEADS, rows, left=2)


def plain(name: str, fitted: Any, case: Case) -> list[list[str]]:
    """How often the intervals hold that the columns of `predict` span, ends included."""
    got, rows = fitted.predict(case.summary, case.horizon, quantiles=ENDS), []
    for kind, actual in (("purchases", case.purchases), ("value", case.value)):
        ends = [got[c].to_numpy() * (1 + 1e-12) for c in got if f"{kind}_q" in c]
        spans, least = zip(ends[2::-1], ends[3:], strict=True), actual * (1 + 2e-12)
        held = [(least >= a) & (actual <= b) for a, b in spans]
        cells = [f"{100 * h[members].mean():.1f}" for members in case.groups.values() for h in held]
        rows.append([f"{name}, {kind}", *cells])
    return rows


def seen(customer: Any, time: Any, past: Any) -> tuple[np.ndarray, ...]:
    """Purchases until the cutoff, the time of the last, and purchases afterwards."""
    x, ahead = (np.bincount(customer[p], minlength=SIZE).astype(float) for p in (past, ~past))
    t_x = np.zeros(SIZE)
    np.maximum.at(t_x, customer[past], time[past])
    return x, t_x, ahead


def lived(model: Any) -> Case:
    """Customers' past, and their purchases and spend of the days ahead."""
    rng = np.random.default_rng(11)
    T = rng.integers(1, 600, SIZE).astype(float)
    customer, time = model.simulate_purchases(T + AHEAD, seed=rng)
    x, t_x, ahead = seen(customer, time, time <= T[customer])
    nu = rng.gamma(SPEND.q, 1 / SPEND.gamma, SIZE)
    own, first, paid = (rng.gamma(SPEND.p * count) / nu for count in (x, np.ones(SIZE), ahead))
    frame = {"frequency": x, "recency": t_x, "T": T, "monetary_value": own / np.maximum(x, 1)}
    summary = clv.Summary.from_frame(pd.DataFrame({**frame, "first_value": first}), unit="D")
    return Case(summary, AHEAD, ahead, paid)


def opportunities(ahead: Any, t: int, *history: Any) -> list[list[str]]:
    """Coverage of BG/BB, fitted to histories."""
    model = clv.fit(clv.BGBB, dict(zip(clv.BGBB.columns, history, strict=True))).model
    found = {"purchases": counts([model], t, ahead, history)}
    return coverage("BG/BB", found, grouped(history[0], history[0]))


def simulated() -> Any:
    """The section on customers of a known law, and its rows of plain coverage."""
    rows, columns = [], []
    for model in TRUTHS:
        case = lived(model)
        for first in (True, False):
            fitted = clv.ValueModel(type(model), spend_includes_first=first).fit(case.summary)
            found = ranks_of(fitted, case)
            kinds = {"money, first purchase counts": found["money"]} if first else found
            rows += coverage(model.title, kinds, case.groups)
        columns += plain(f"simulated, {model.title}", fitted, case)
    donors = DONORS.simulate_purchases(np.full(SIZE, PAST + NEXT), seed=11)
    x, t_x, ahead = seen(*donors, donors.opportunity <= PAST)
    rows += opportunities(ahead, NEXT, x, t_x, np.full(SIZE, float(PAST)))
    text = f"""## Simulated: the law is known

{SIZE:,} customers of each law, watched for 1 to 600 days, spending as Gamma-Gamma says; the next
{AHEAD:.0f} days are predicted. BG/BB: {PAST} opportunities past, {NEXT} ahead.
{covered(rows)}"""
    return [text], columns


def totals(name: str, fitted: Any, case: Case) -> list[list[str]]:
    """Rows that hold the actual totals against their intervals."""
    got = fitted.predict_total(case.summary, case.horizon, quantiles=ENDS).iloc[0]
    rows = []
    for kind, actual in (("purchases", case.purchases.sum()), ("value", case.value.sum())):
        mean, ends = got[f"expected_{kind}"], [got[c] for c in got.index if f"{kind}_q" in c]
        spans = list(zip(ends[2::-1], ends[3:], strict=True))
        held = [level for level, (a, b) in zip(LEVELS, spans, strict=True) if a <= actual <= b]
        beyond = min(actual - ends[0], 0) + max(actual - ends[-1], 0)
        words = f"inside {held[0]:.0%}" if held else f"**outside**, by {beyond / actual:+.1%}"
        cells = [f"{a:,.0f} to {b:,.0f}" for a, b in spans]
        numbers = f"{actual:,.0f}", f"{mean:,.0f}", f"{mean / actual - 1:+.1%}"
        rows.append([f"{name}, {kind}", *numbers, *cells, words])
    return rows


def strata(summary: clv.Summary) -> dict[str, np.ndarray]:
    """All customers, in four parts, by what they did so far."""
    x, silent = summary.frequency, (summary.T - summary.recency) * days_in(summary.unit) / 7
    part = np.select([x == 0, silent < 13, silent < 26], [0, 1, 2], 3)
    return {name: part == i for i, name in enumerate(PARTS)}


def by_part(case: Case, got: dict[str, Any]) -> pd.DataFrame:
    """Actual over expected purchases, buyers and value of each part, under each model."""
    parts = {**strata(case.summary), "all": case.groups["all"]}
    table = pd.DataFrame({"customers": [m.sum() for m in parts.values()]}, index=list(parts))
    table["bought"] = [case.purchases[m].sum() for m in parts.values()]
    actual = {"purchases": case.purchases, "buyers": case.purchases > 0, "value": case.value}
    columns = ("expected_purchases", "p_purchase", "expected_value")
    for (what, a), column in zip(actual.items(), columns, strict=True):
        for k, g in got.items():
            table[f"{what}, {k}"] = [a[m].sum() / g[column][m].sum() for m in parts.values()]
    return table


def by_month(holdout: clv.Holdout, case: Case, fitted: dict[str, Any]) -> pd.DataFrame:
    """Purchases of the customers known at the cutoff; actual over expected; month by month."""
    history, cut = holdout.history, to_day(holdout.cutoff)
    born = history.day[np.flatnonzero(np.diff(history.customer, prepend=-1))]
    step = case.horizon / round(holdout.days / 30.4375)
    paths = {k: m.predict_path(case.summary, case.horizon, step=step) for k, m in fitted.items()}
    first = paths[BG.title]
    ends = cut + np.append(0, np.rint(first["days"].to_numpy()).astype(int))
    actual = np.diff([history.within(cut, e)[0][born <= cut].sum() for e in ends])
    ratio = {k: actual / path["expected_purchases"].to_numpy() for k, path in paths.items()}
    return pd.DataFrame({"bought": actual, **ratio}, index=first["until"].dt.date.astype(str))


def printed(name: str, frame: pd.DataFrame) -> str:
    """A table of counts and ratios."""
    counts = ("customers", "bought")
    shown = {c: [f"{v:,.0f}" if c in counts else f"{v:.2f}" for v in frame[c]] for c in frame}
    return page.table([name, *frame], zip(frame.index, *shown.values(), strict=True))


def findings(case: Case, gap: Any, far: float, parts: Any, months: Any, later: str) -> str:
    """What the errors of the first model consist of, and what follows where the numbers say so."""
    model, bought = months.columns[1], months["bought"]
    kinds = [f"{what}, {model}" for what in ("purchases", "buyers", "value")]
    (total, _, value), (one, buyers, _) = (parts.loc[r, kinds] for r in ("all", "one purchase"))
    long = parts.loc[LONG, parts.columns.str.startswith("purchases, ")]
    who = "; ".join(f"{name} {gap[m].sum():+,.0f}" for name, m in strata(case.summary).items())
    rate = months[model].sort_values(ascending=False)
    peaks = " and ".join(f"{day} ({rate[day]:.2f})" for day in rate.index[:2])
    rest = bought[rate.index[2:]].sum() / (bought / rate)[rate.index[2:]].sum()
    lines = f"""
- **Who**: actual less expected purchases are {gap.sum():+,.0f} under {model}: {who}.
- **When**: {(rate > 1).sum()} of {rate.size} months are above what it expects, the highest those
  until {peaks}. Actual over expected is {total:.2f}; without these two, {rest:.2f}.
- **How**: of one-purchase customers {buyers:.2f} times as many buy as it expects, with {one:.2f}
  times the purchases; beyond their 99.9% point are {far:,.0f}, not {gap.size / 1000:,.0f};
  money per purchase is {value / total:.2f} times what it expects.
"""
    worst = f"{long.min():.1f} to {long.max():.1f} times what is expected"
    said = {
        f"Repeat customers, silent for half a year, bought {worst}.": long.min() > 1.2,
        "The excess is not of single months: the others are above, too.": rest > 1.05,
        "Fewer one-purchase customers come back, and these buy more.": buyers < 0.95 < one,
    }
    means = [words for words, holds in said.items() if holds]
    return f"{lines.strip()}\n{later}\n{' '.join(means) or 'No number stands out.'}\n"


def hindsight(orders: dict[str, Any], case: Case, model: Any) -> str:
    """What would be expected with parameters found from the holdout, too."""
    models = model, clv.fit(type(model), clv.summarize(**orders)).model
    each = [m.expected_purchases(case.horizon, *case.history) for m in models]
    late, actual = strata(case.summary)[LONG], case.purchases
    (known, old), (told, new) = ((e.sum(), actual[late].sum() / e[late].sum()) for e in each)
    ranks = counts(models[1:], case.horizon, actual, case.history)
    cells = ", ".join(coverage("", {"": ranks}, case.groups)[0][3:6])
    return f"""- **Parameters or law**: with parameters fitted to the whole history, which nobody
  knew at the cutoff, {model.title} expects {told:,.0f} purchases, not {known:,.0f}: that closes
  {(told - known) / (actual.sum() - known):.0%} of the gap. For "{LONG}"
  actual over expected is {new:.2f} instead of {old:.2f}. Shares inside are {cells}.
"""


def real(name: str, text: str, orders: dict[str, Any], cutoff: str) -> Any:
    """Fit to the orders until the cutoff, and hold the predictions against what followed."""
    holdout = clv.holdout_split(cutoff=cutoff, **orders)
    summary = holdout.calibration
    case = Case(summary, holdout.days / days_in(summary.unit), holdout.purchases, holdout.value)
    fitted = {m.title: clv.ValueModel(purchases=type(m)).fit(summary) for m in TRUTHS}
    got = {k: model.predict(summary, case.horizon) for k, model in fitted.items()}
    ranks = {k: ranks_of(model, case) for k, model in fitted.items()}
    parts, months = by_part(case, got), by_month(holdout, case, fitted)
    sums = [row for k, model in fitted.items() for row in totals(k, model, case)]
    model = BG.title
    others, words = (monthly(orders), "") if cutoff == CUT else known_truth(case, fitted[model])
    for k, m in fitted.items() if name == "CDNOW sample" else ():
        others += coverage(f"{k}, parameters uncertain", ranks_of(m, case, True), case.groups)
    rows = [row for k, found in ranks.items() for row in coverage(k, found, case.groups)] + others
    gap = case.purchases - got[model]["expected_purchases"].to_numpy()
    later = hindsight(orders, case, fitted[model].purchases.model) + words
    far = ranks[model]["purchases"].inside(0.999, 1.0).sum()
    page_parts = [
        f"## {name}\n\n{text} {len(summary):,} customers.\n{covered(rows)}",
        "Totals, with the intervals of `predict_total`:\n",
        page.table(["total of", "actual", "expected", "off", *HEADS[3:6], "actual is"], sums),
        "What explains it:\n",
        findings(case, gap, far, parts, months, later),
        "Actual over expected, by what was known at the cutoff, and by month:\n",
        printed("customers with", parts),
        printed("month until", months),
    ]
    return page_parts, [r for k, m in fitted.items() for r in plain(f"{name}, {k}", m, case)]


def monthly(orders: dict[str, Any]) -> list[list[str]]:
    """BG/BB, an opportunity being a calendar month."""
    keys = {k: orders[k] for k in ("orders", "customer", "date")}
    past, whole = (clv.summarize_opportunities(**keys, period="M", end=e) for e in (CUT, None))
    ahead, t = whole.frequency - past.frequency, int((whole.n - past.n)[0])
    return opportunities(ahead, t, past.frequency, past.recency, past.n)


def known_truth(case: Case, fitted: Any) -> tuple[list[list[str]], str]:
    """The true parameters of the shop in place of the estimates."""
    (timing, spend), (counted, paid) = SHOP_TRUTH, fitted.fits
    true = replace(fitted, purchases=replace(counted, model=timing))
    true = replace(true, spend=replace(paid, model=spend))
    rows = coverage("the truth", ranks_of(true, case), case.groups)
    expected = timing.expected_purchases(case.horizon, *case.history).sum()
    p, q = (", ".join(map(page.short, m.values())) for m in (spend, paid.model))
    return (
        rows,
        f"""- **Estimates**: with the true parameters {expected:,.0f} purchases are expected.
  Gamma-Gamma (p, q, gamma) is {p} in truth, and {q} by these orders.
""",
    )


def donations() -> Any:
    """Why the donations have no holdout."""
    cells = clv.datasets.load_donations()
    x, t_x, weight = (cells[c].to_numpy() for c in ("frequency", "recency", "weight"))
    last, lost = t_x == 6, (t_x == 6) & (x > 1) & (x < 6)
    text = f"""## Donations

No coverage can be shown. The data are {len(cells)} counts of donors by years with a gift and the
last of these, for the six years that the paper fits to, not for the five that it predicts. To cut
earlier takes the last gift before: {weight[lost].sum():,} of the {weight[last].sum():,} donors of
the sixth year gave in others, not in all, and no count says in which. See the simulated BG/BB.
"""
    return [text], []


def main() -> None:
    """Run what is asked for and write the page."""
    keys = {"customer": "customer_id", "date": "date", "value": "amount", "unit": "W"}
    sample, cdnow = ({"orders": clv.datasets.load_cdnow(sample=s), **keys} for s in (True, False))
    shop = {"orders": pd.read_csv(SHOP).drop_duplicates(), "unit": "D", "value": "amount"}
    shop |= {"customer": "customer_email", "date": "ordered_at"}
    make = {
        "simulated": simulated,
        "sample": lambda: real("CDNOW sample", CDNOW, sample, CUT),
        "cdnow": lambda: real("CDNOW", CDNOW, cdnow, CUT),
        "shop": lambda: real("Shop", INVENTED, shop, "2025-06-30"),
        "donations": donations,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(make), help="print one section, write nothing")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    sections = [made() for name, made in make.items() if only in (None, name)]
    versions = {name: page.version_of(name) for name in ("clvmodel", "numpy", "scipy")}
    heads = [f"{g}: {level:.0%}" for g in ("all", "one", "top") for level in LEVELS]
    parts = [
        page.header("Coverage", "python benchmarks/coverage.py", versions, TEXT),
        *(part for section, _ in sections for part in section),
        PLAIN,
        page.table(["columns of", *heads], [row for _, rows in sections for row in rows]),
    ]
    print("\n".join(parts) if only else page.write("coverage.md", parts))


if __name__ == "__main__":
    main()
