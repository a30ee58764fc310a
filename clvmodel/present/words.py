"""Numbers and findings in plain English: what the report says, without how it looks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clvmodel.units import UNIT_NAMES

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def number(value: float | None) -> str:
    """Return about three significant digits, with thousands separators; an en dash for None.

    >>> number(1234.5), number(12.345), number(0.012345), number(None)
    ('1,234', '12.3', '0.0123', '–')
    """
    if value is None or math.isnan(value):
        return NOTHING
    size = abs(value)
    if math.isinf(value) or size >= 1e15:
        return "unbounded"
    if size >= 100:
        text = f"{value:,.0f}"
    elif size >= 1:
        text = f"{value:.1f}" if size >= 10 else f"{value:.2f}"
    else:
        text = f"{value:#.3g}" if value else "0"
    return text.replace("-", MINUS)


def amount(value: float | None) -> str:
    """Return `number`, but 0 for what is less than half a hundredth.

    >>> amount(5e-14), amount(0.31)
    ('0', '0.310')
    """
    return number(0.0 if value is not None and abs(value) < 0.005 else value)


def sentence(text: str) -> str:
    """Return a text with its first letter in capitals, the others as they are.

    >>> sentence("future VIPs")
    'Future VIPs'
    """
    return text[:1].upper() + text[1:]


def signed(value: float | None) -> str:
    """Return `number` with an explicit sign.

    >>> signed(14200.0)
    '+14,200'
    """
    return number(value) if value is None or value <= 0 else "+" + number(value)


def percent(value: float | None) -> str:
    """Return a share in percent, to a tenth.

    >>> percent(0.4123)
    '41.2%'
    """
    return NOTHING if value is None else f"{value:,.1%}".replace("-", MINUS)


def percent_short(value: float) -> str:
    """Return a share in percent without decimals that say nothing.

    >>> percent_short(0.95)
    '95%'
    """
    return f"{100 * value:.4g}%"


def signed_percent(value: float | None) -> str:
    """Return `percent` with an explicit sign.

    >>> signed_percent(0.0357)
    '+3.6%'
    """
    text = percent(value)
    if value is None or text.lstrip(MINUS) == "0.0%":
        return text.lstrip(MINUS)
    return "+" + text if value > 0 else text


def bias_in_words(bias: float) -> str:
    """Say in words how far a total is off.

    >>> bias_in_words(-0.0357)
    '3.6% too low'
    """
    size = percent(abs(bias))
    if size == "0.0%":
        return "right to a tenth of a percent"
    return f"{size} too {'high' if bias > 0 else 'low'}"


def joined(names: Iterable[str]) -> str:
    """Join names as a sentence does.

    >>> joined(["A", "B", "C"])
    'A, B and C'
    """
    items = list(names)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def plural(count: float, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "customer"), plural(23570, "customer")
    ('1 customer', '23,570 customers')
    """
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def meaning(fit: Mapping[str, Any]) -> list[str]:
    """Say what the parameters of one fit (see `Result.fits`) mean; empty for an unknown model."""
    values = {row["parameter"]: float(row["estimate"]) for row in fit["parameters"]}
    coins = {"BGNBD": "repeat purchase", "MBGNBD": "purchase, the first too,"}
    if fit["model"] in coins and {"r", "alpha", "a", "b"} == values.keys():
        return _bg_nbd(fit["unit"], coins[fit["model"]], **values)
    if fit["model"] == "ParetoNBD" and {"r", "alpha", "s", "beta"} == values.keys():
        return _pareto_nbd(fit["unit"], **values)
    if fit["model"] == "GammaGamma" and {"p", "q", "gamma"} == values.keys():
        return _gamma_gamma(**values)
    return []


def _bg_nbd(unit: str, coin: str, r: float, alpha: float, a: float, b: float) -> list[str]:
    leave = a / (a + b)
    return [
        *_buying(unit, r, alpha),
        f"After each {coin} a customer leaves for good with a chance of {percent(leave)} "
        "on average, a / (a + b).",
    ]


def _pareto_nbd(unit: str, r: float, alpha: float, s: float, beta: float) -> list[str]:
    half = beta * math.expm1(math.log(2) / s) if math.log(2) / s < 700 else math.inf
    gone = f"is gone after {number(half)} {UNIT_NAMES[unit]}" if half < math.inf else "never goes"
    return [
        *_buying(unit, r, alpha),
        f"Customers may leave at any time; half of the new ones {gone}: beta (2^(1/s) - 1).",
        f"Customers are {_spread(s)} in how soon they leave: rates of leaving vary by "
        f"{percent(1 / math.sqrt(s))} of their mean (1 / square root of s).",
    ]


def _buying(unit: str, r: float, alpha: float) -> list[str]:
    units, rate = UNIT_NAMES[unit], r / alpha
    return [
        f"While still a customer, people buy {number(rate)} times per {units[:-1]} on average "
        f"(r / alpha): once in {number(1 / rate)} {units}.",
        f"Customers are {_spread(r, 'buy')} in how often they buy: rates vary by "
        f"{percent(1 / math.sqrt(r))} of their mean (1 / square root of r).",
    ]


def _gamma_gamma(p: float, q: float, gamma: float) -> list[str]:
    said = []
    if q > 1:
        mean = p * gamma / (q - 1)
        said.append(
            f"The mean value of a purchase, over customers, is {number(mean)}: p gamma / (q - 1)."
        )
    else:
        said.append("q is not above 1: the mean value of a purchase over customers is not finite.")
    said.append(
        f"A customer's own purchases vary by {percent(1 / math.sqrt(p))} of that customer's mean "
        "(1 / square root of p)."
    )
    return said


def _spread(shape: float, do: str = "") -> str:
    if shape < 1:
        return f"very unequal (most {do} rarely, a few often)" if do else "very unequal"
    return "unequal" if shape < 5 else "much alike"


def agreement(fits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say, per model fitted by both engines, how far their parameters lie apart."""
    said = []
    for name in dict.fromkeys(fit["model"] for fit in fits):
        pair = [
            next((f for f in fits if f["model"] == name and f["engine"] == engine), None)
            for engine in ("native", "lifetimes")
        ]
        if pair[0] is None or pair[1] is None or pair[0]["unit"] != pair[1]["unit"]:
            continue
        ours, theirs = ({r["parameter"]: r["estimate"] for r in f["parameters"]} for f in pair if f)
        gaps = {k: abs(theirs[k] / ours[k] - 1) for k in ours.keys() & theirs.keys()}
        if gaps:
            worst = max(sorted(gaps), key=gaps.__getitem__)
            verdict = "agree" if gaps[worst] < 0.01 else "do not agree"
            said.append(
                f"{name}: two independent implementations, clvmodel's and that of lifetimes, "
                f"{verdict}: their parameters differ by {_at_most(gaps[worst])} ({worst})."
            )
    return said


def _at_most(share: float) -> str:
    if share < 1e-6:
        return "less than 0.0001%"
    return f"at most {100 * share:.2g}%" if share < 1 else f"at most {100 * share:,.0f}%"


def interval(low: float, high: float, estimate: float) -> str:
    """Return a parameter's interval; an end without bound is named so.

    >>> interval(0.2, 0.3, 0.25)
    '0.2 to 0.3'
    """
    if low < 0:
        return f"{parameter(low)} to {parameter(high)}"
    lowest = "0" if low < 1e-6 * estimate else parameter(low)
    return f"{lowest} to {'unbounded' if high > 1e6 * estimate else parameter(high)}"


def difference(value: float, low: float, high: float, beside: float) -> tuple[str, str]:
    """Return a signed difference and its interval, with the decimals of the number `beside` them.

    >>> difference(0.9214, 0.2876, 1.5552, beside=30.4)
    ('+0.9', '+0.3 to +1.6')
    """
    places = len(number(beside).partition(".")[2])
    middle, lower, upper = (_with_places(end, places) for end in (value, low, high))
    return middle, f"{lower} to {upper}"


def _with_places(value: float, places: int) -> str:
    if not math.isfinite(value):
        return number(value)
    text = f"{value:+,.{places}f}"
    return (text[1:] if float(text.replace(",", "")) == 0 else text).replace("-", MINUS)


def parameter(value: float) -> str:
    """Return a parameter with four significant digits.

    >>> parameter(4.41353)
    '4.414'
    """
    if not math.isfinite(value):
        return NOTHING
    return (f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}").replace("-", MINUS)
