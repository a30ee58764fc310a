"""Write data/sample/shop_orders.csv, two years of a made-up shop, and the truth behind it.

Customers join over the whole period, buy again as BG/NBD says and spend as Gamma-Gamma says. Then
the export is made as messy as real ones are. Every kind of mess hits purchases of its own, so that
the effect of each on a summary is its count in shop_orders_truth.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
SEED = 20240101
FIRST_DAY = np.datetime64("2024-01-01")
LAST_DAY = np.datetime64("2025-12-31")
LAST = int((LAST_DAY - FIRST_DAY).astype(int))
TIMING = BGNBD(r=0.6, alpha=60.0, a=0.7, b=2.8)
SPEND = GammaGamma(p=6.0, q=4.0, gamma=25.0)
CUSTOMERS = 2_000
MESS = {
    "split_purchases": 150,
    "same_day_full_refunds": 12,
    "same_day_partial_refunds": 45,
    "duplicated_rows": 40,
    "free_orders": 8,
    "later_day_refunds": 60,
}
GUEST_ROWS = 35
CHANNELS = {"search": 0.4, "direct": 0.25, "email": 0.2, "social": 0.15}
COUNTRIES = {"DE": 0.45, "AT": 0.15, "CH": 0.1, "FR": 0.15, "NL": 0.15}
DOMAINS = ("example.com", "example.org", "example.net")
FIRST_NAMES = (
    "ada anna aylin ben carla clara david elena emil emma farid finn greta hanna ida jan jonas "
    "julia karim lara lea leon lina luca maja marie mila nils noah nora omar paul petra rosa sara "
    "selin theo tom vera yusuf"
)
LAST_NAMES = (
    "adler bauer becker berg bianchi brandt costa dubois durand fischer frank garcia haas hansen "
    "hofer huber jansen kaya keller koch kowalski lang lehmann martin meier mueller novak peters "
    "petit pohl richter rossi roth schmidt silva sommer vogel wagner weber yilmaz"
)
SECONDS = 86_400

Ints = NDArray[np.int64]


class Purchases(NamedTuple):
    """The clean truth, one element per purchase: whose, on which day (0: the first), its value."""

    customer: Ints
    day: Ints
    cents: Ints


def simulate(rng: np.random.Generator) -> Purchases:
    """Draw what the customers do; what falls on one day of a customer is one purchase."""
    # More customers join early than late, and some in the last weeks.
    joined = np.floor((LAST + 1) * rng.beta(1.0, 1.2, CUSTOMERS)).astype(np.int64)
    repeats = TIMING.simulate_purchases(LAST - joined, seed=rng)
    # Rounded up: no repeat purchase falls on the first day, and T is whole and exact.
    repeat_day = joined[repeats.customer] + np.ceil(repeats.time).astype(np.int64)
    customer = np.concatenate([np.arange(CUSTOMERS), repeats.customer])
    day = np.concatenate([joined, repeat_day])
    customer, day = np.unique(np.stack([customer, day]), axis=1)
    return Purchases(customer, day, draw_cents(rng, customer, CUSTOMERS))


def draw_cents(rng: np.random.Generator, customer: Ints, customers: int) -> Ints:
    """Draw the value of one purchase per element of `customer`, in cents, at least one."""
    nu = rng.gamma(SPEND.q, 1 / SPEND.gamma, customers)
    value = rng.gamma(SPEND.p, 1 / nu[customer])
    return np.maximum(np.rint(100 * value), 1).astype(np.int64)


def pick(rng: np.random.Generator, clean: Purchases, lag: Ints) -> dict[str, NDArray[np.intp]]:
    """Choose which purchases each kind of mess hits; no purchase is chosen twice.

    A later refund, `lag` days on, must fall on a day without purchases: a day of refunds only.
    """
    refund_day = clean.day + lag
    bought = np.isin(key(clean.customer, refund_day), key(clean.customer, clean.day))
    order = rng.permutation(len(clean.day))
    fits = ((refund_day <= LAST) & ~bought)[order]
    chosen = {"later_day_refunds": order[fits][: MESS["later_day_refunds"]]}
    rest = order[~np.isin(order, chosen["later_day_refunds"])]
    for kind, count in MESS.items():
        if kind not in chosen:
            chosen[kind], rest = rest[:count], rest[count:]
    return chosen


def key(customer: Ints, day: Ints) -> Ints:
    """Return one number per customer and day."""
    return customer * (10 * LAST) + day


def place_orders(
    rng: np.random.Generator, clean: Purchases, chosen: dict[str, NDArray[np.intp]]
) -> pd.DataFrame:
    """Orders as the shop took them: a purchase each, some free, some in two parts, and guests'."""
    cents = clean.cents.copy()
    cents[chosen["free_orders"]] = 0
    split = chosen["split_purchases"]
    second_part = np.maximum(cents[split] * rng.uniform(0.2, 0.6, split.size), 1).astype(np.int64)
    cents[split] -= second_part
    moment = clean.day * SECONDS + time_of_day(rng, clean.day.size)
    parts = [
        (clean.customer, moment, cents),
        (clean.customer[split], moment[split] + soon(rng, split.size), second_part),
        (
            np.full(GUEST_ROWS, -1),
            rng.integers(0, LAST + 1, GUEST_ROWS) * SECONDS + time_of_day(rng, GUEST_ROWS),
            draw_cents(rng, np.arange(GUEST_ROWS), GUEST_ROWS),
        ),
    ]
    customer, second, amount = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pd.DataFrame(
        {
            "customer": customer,
            "second": second,
            "cents": amount,
            "channel": draw_names(rng, CHANNELS, customer.size),
            "refunded": -1,
        }
    )


def give_back(
    rng: np.random.Generator,
    orders: pd.DataFrame,
    chosen: dict[str, NDArray[np.intp]],
    lag: Ints,
) -> pd.DataFrame:
    """Rows of refunds; `refunded` is the order's row. Some later ones pay back only a part."""
    full, partial, later = (
        chosen[f"{kind}_refunds"] for kind in ("same_day_full", "same_day_partial", "later_day")
    )
    row = np.concatenate([full, partial, later])
    part = rng.uniform(0.2, 0.8, row.size)
    part[: full.size] = 1.0
    part[full.size + partial.size :][rng.random(later.size) < 0.7] = 1.0
    refunds = orders.iloc[row].reset_index(drop=True)
    moment = refunds["second"].to_numpy() + soon(rng, row.size)
    office = rng.integers(9 * 3600, 17 * 3600, later.size)
    moment[-later.size :] = (moment[-later.size :] // SECONDS + lag[later]) * SECONDS + office
    back = np.maximum(np.rint(part * refunds["cents"].to_numpy()), 1).astype(np.int64)
    return refunds.assign(second=moment, cents=-back, refunded=row)


def time_of_day(rng: np.random.Generator, size: int) -> Ints:
    """Draw seconds after midnight, from 6:00 to 23:00, mostly in the afternoon and evening."""
    return (3600 * (6 + 17 * rng.beta(2.6, 2.0, size))).astype(np.int64)


def soon(rng: np.random.Generator, size: int) -> Ints:
    """Draw seconds until a second order or a refund that is still on the same day."""
    return rng.integers(3 * 60, 55 * 60, size)


def draw_names(rng: np.random.Generator, shares: dict[str, float], size: int) -> NDArray[Any]:
    """Draw names with the given shares."""
    return rng.choice(np.array(list(shares)), size, p=list(shares.values()))


def draw_emails(rng: np.random.Generator) -> NDArray[Any]:
    """Invent one address per customer, all different, and a blank one, last, for guests."""
    first_names, last_names = FIRST_NAMES.split(), LAST_NAMES.split()
    shape = (len(first_names), len(last_names), 90)
    codes = np.unravel_index(rng.choice(np.prod(shape), CUSTOMERS, replace=False), shape)
    domain = rng.integers(0, len(DOMAINS), CUSTOMERS)
    return np.array(
        [
            f"{first_names[first]}.{last_names[last]}{number + 10}@{DOMAINS[d]}"
            for first, last, number, d in zip(*codes, domain, strict=True)
        ]
        + [""]
    )


def export(rng: np.random.Generator, orders: pd.DataFrame, twice: NDArray[np.intp]) -> pd.DataFrame:
    """Lay out the columns as a shop's export would, sorted by time, the rows `twice` repeated."""
    rank = np.empty(len(orders), dtype=np.int64)
    rank[np.argsort(orders["second"].to_numpy(), kind="stable")] = np.arange(len(orders))
    order_id = np.array([f"S{100_001 + r}" for r in rank])
    customer, refunded = orders["customer"].to_numpy(), orders["refunded"].to_numpy()
    country = draw_names(rng, COUNTRIES, CUSTOMERS + 1)
    table = pd.DataFrame(
        {
            "order_id": order_id,
            "customer_email": draw_emails(rng)[customer],
            "ordered_at": FIRST_DAY.astype("datetime64[s]") + orders["second"].to_numpy(),
            "amount": orders["cents"].to_numpy() / 100,
            "channel": orders["channel"],
            "country": country[customer],
            "refund_of": np.where(refunded >= 0, order_id[refunded], ""),
        }
    )
    doubled = pd.concat([table, table.iloc[twice]])
    return doubled.sort_values("order_id", kind="stable")


def describe(clean: Purchases, chosen: dict[str, NDArray[np.intp]], rows: int) -> dict[str, Any]:
    """Return what is true of the shop, as plain data; free orders count with value 0."""
    remaining = np.delete(clean.customer, chosen["same_day_full_refunds"])
    cents = np.delete(clean.cents, chosen["free_orders"]).sum()
    return {
        "seed": SEED,
        "first_day": str(FIRST_DAY),
        "last_day": str(LAST_DAY),
        "unit": "D",
        "bg_nbd": TIMING.to_dict(),
        "gamma_gamma": SPEND.to_dict(),
        "clean": {
            "customers": CUSTOMERS,
            "purchases": len(clean.day),
            "repeat_purchases": len(clean.day) - CUSTOMERS,
            "value": round(int(cents) / 100, 2),
        },
        "mess": {
            **MESS,
            "guest_rows": GUEST_ROWS,
            "customers_refunded_away": CUSTOMERS - np.unique(remaining).size,
        },
        "rows": rows,
    }


def make(seed: int = SEED) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the messy orders and the truth behind them."""
    rng = np.random.default_rng(seed)
    clean = simulate(rng)
    lag = rng.integers(2, 31, clean.day.size)
    chosen = pick(rng, clean, lag)
    orders = place_orders(rng, clean, chosen)
    refunds = give_back(rng, orders, chosen, lag)
    everything = pd.concat([orders, refunds], ignore_index=True)
    table = export(rng, everything, chosen["duplicated_rows"])
    return table, describe(clean, chosen, len(table))


def main() -> None:
    """Write both files into the folder named on the command line, by default data/sample."""
    parser = argparse.ArgumentParser(description="Write shop_orders.csv and its truth.")
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLE)
    folder = parser.parse_args().folder
    orders, truth = make()
    orders.to_csv(folder / "shop_orders.csv", index=False, float_format="%.2f", lineterminator="\n")
    text = json.dumps(truth, indent=2) + "\n"
    (folder / "shop_orders_truth.json").write_text(text, encoding="utf-8", newline="\n")
    print(f"shop_orders.csv: {len(orders):,} rows, {truth['clean']['customers']:,} customers")


if __name__ == "__main__":
    main()
