"""Write tests/data/presets: one year of a made-up shop, as four systems would export it.

`plain.csv` is the truth: a row per order or refund, without what was never a sale. The other
files hold the same orders in the columns of Shopify, WooCommerce, Stripe and Online Retail II, and
orders that were cancelled, failed or tests besides. So that all say the same, orders are placed in
office hours (their day is the same in Greenwich), refunds follow within the hour (Online Retail
dates them, the others do not), and no order is free (Stripe has no payments of nothing).
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "presets"
SEED = 20240601
FIRST = dt.datetime(2024, 1, 1)
DAYS = 366
CUSTOMERS = 70
GUEST_ORDERS = 6
KINDS = {"sale": 0.82, "partly": 0.08, "returned": 0.04, "void": 0.06}
GOODS = {"85123A": 255, "71053": 339, "22752": 765, "21730": 425, "84879": 169, "22745": 210}
ZONE = dt.timezone(dt.timedelta(hours=-5))
SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,"
    "Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,"
    "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,"
    "Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,"
    "Billing Name,Billing Country,Shipping Name,Shipping Country,Notes,Note Attributes,"
    "Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Outstanding Balance,"
    "Id,Tags,Risk Level,Source,Lineitem discount,Phone,Receipt Number,Duties"
)
WOOCOMMERCE = (
    "order_id,order_number,order_date,paid_date,status,shipping_total,tax_total,discount_total,"
    "order_total,order_subtotal,order_currency,payment_method,customer_id,customer_user,"
    "customer_email,billing_first_name,billing_email,billing_country,customer_note,coupon_items,"
    "refund_items,order_notes,line_item_1,line_item_2,line_item_3"
)
STRIPE = (
    "id,Description,Seller Message,Created (UTC),Amount,Amount Refunded,Currency,Converted Amount,"
    "Converted Amount Refunded,Fee,Tax,Converted Currency,Mode,Status,Statement Descriptor,"
    "Customer ID,Customer Description,Customer Email,Captured,Card Brand,Card Funding,Invoice ID"
)
RETAIL = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
PLAIN = "order_id,customer,ordered_at,amount"


@dataclass(frozen=True)
class Order:
    """An order of `customer` (-1: a guest) with its lines: goods, quantity, price in cents."""

    number: int
    customer: int
    moment: dt.datetime
    lines: tuple[tuple[str, int, int], ...]
    kind: str

    @property
    def cents(self) -> int:
        """What was paid."""
        return sum(quantity * price for _, quantity, price in self.lines)

    @property
    def back(self) -> tuple[tuple[str, int, int], ...]:
        """Lines that were paid back: all, one piece of the first, or none."""
        if self.kind == "returned":
            return self.lines
        name, _, price = self.lines[0]
        return ((name, 1, price),) if self.kind == "partly" else ()

    @property
    def refunded(self) -> int:
        """What was paid back, in cents."""
        return sum(quantity * price for _, quantity, price in self.back)

    @property
    def returned_at(self) -> dt.datetime:
        """When it was paid back."""
        return self.moment + dt.timedelta(minutes=40)

    @property
    def email(self) -> str:
        """The customer's address, blank for a guest."""
        return "" if self.customer < 0 else f"customer.{self.customer:04d}@example.com"


def simulate(seed: int = SEED) -> list[Order]:
    """Draw the orders, by time; some customers order twice on a day."""
    rng = np.random.default_rng(seed)
    placed = [(-1, int(day)) for day in rng.integers(0, DAYS, GUEST_ORDERS)]
    for customer in range(CUSTOMERS):
        day, gap = float(rng.integers(0, DAYS - 60)), rng.gamma(2.0, 30.0)
        while day < DAYS:
            placed += [(customer, int(day))] * (2 if rng.random() < 0.06 else 1)
            if rng.random() < 0.25:
                break
            day += 1 + rng.exponential(gap)
    orders = []
    for customer, day in placed:
        second = int(rng.integers(9 * 3600, 17 * 3600))
        moment = FIRST + dt.timedelta(days=day, seconds=second)
        goods = rng.choice(list(GOODS), int(rng.integers(1, 4)), replace=False)
        lines = tuple((str(name), int(rng.integers(2, 9)), GOODS[name]) for name in goods)
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        orders.append((moment, customer, lines, kind))
    orders.sort()
    return [
        Order(1001 + i, who, at, lines, kind) for i, (at, who, lines, kind) in enumerate(orders)
    ]


def money(cents: int) -> str:
    """Return an amount with two decimals."""
    return f"{cents / 100:.2f}"


def plain(order: Order) -> list[dict[str, str]]:
    """Rows of the truth."""
    if order.kind == "void":
        return []
    row = {"order_id": str(order.number), "customer": order.email}
    rows = [{**row, "ordered_at": str(order.moment), "amount": money(order.cents)}]
    if order.back:
        amount = money(-order.refunded)
        rows.append({**row, "ordered_at": str(order.returned_at), "amount": amount})
    return rows


def shopify(order: Order) -> list[dict[str, str]]:
    """Rows of Shopify: one per line, what concerns the order on the first."""
    at = order.moment.replace(tzinfo=ZONE).strftime("%Y-%m-%d %H:%M:%S %z")
    status = {"partly": "partially_refunded", "returned": "refunded"}.get(order.kind, "paid")
    void = order.number % 4 if order.kind == "void" else -1
    first = {
        "Financial Status": {1: "pending", 2: "voided"}.get(void, status),
        "Paid at": at,
        "Currency": "USD",
        "Subtotal": money(order.cents),
        "Shipping": "0.00",
        "Taxes": "0.00",
        "Total": money(order.cents),
        "Discount Amount": "0.00",
        "Cancelled at": at if void == 0 else "",
        "Payment Method": "bogus" if void == 3 else "Shopify Payments",
        "Refunded Amount": money(order.refunded),
        "Outstanding Balance": "0.00",
        "Id": str(5_000_000_000 + order.number),
    }
    rows = []
    for i, (name, quantity, price) in enumerate(order.lines):
        line = {
            "Name": f"#{order.number}",
            "Email": order.email,
            "Created at": at,
            "Lineitem quantity": str(quantity),
            "Lineitem name": f"Good {name}",
            "Lineitem price": money(price),
            "Lineitem sku": name,
            "Vendor": "The made-up shop",
        }
        rows.append({**line, **(first if i == 0 else {})})
    return rows


def woocommerce(order: Order) -> list[dict[str, str]]:
    """One row of WooCommerce, the lines in columns; addresses are as the customer wrote them."""
    status = "refunded" if order.kind == "returned" else "completed"
    if order.kind == "void":
        status = ("pending", "on-hold", "cancelled", "failed")[order.number % 4]
    lines = {
        f"line_item_{i + 1}": f"name:Good {name}|sku:{name}|quantity:{quantity}|total:"
        + money(quantity * price)
        for i, (name, quantity, price) in enumerate(order.lines)
    }
    back = f"amount:{money(order.refunded)}|reason:|date:{order.returned_at}" if order.back else ""
    return [
        {
            "order_id": str(order.number),
            "order_number": str(order.number),
            "order_date": str(order.moment),
            "paid_date": str(order.moment),
            "status": status,
            "shipping_total": "0.00",
            "order_total": money(order.cents),
            "order_subtotal": money(order.cents),
            "order_currency": "USD",
            "customer_id": str(order.customer + 1),
            "customer_email": order.email,
            "billing_email": order.email if order.number % 3 else order.email.title(),
            "refund_items": back,
            **lines,
        }
    ]


def stripe(order: Order) -> list[dict[str, str]]:
    """One row of Stripe, its time in UTC and without seconds."""
    utc = order.moment.replace(tzinfo=ZONE).astimezone(dt.UTC)
    void = order.number % 3 if order.kind == "void" else -1
    status = "Refunded" if order.kind == "returned" else "Paid"
    return [
        {
            "id": f"ch_3{order.number:06d}",
            "Description": f"Order {order.number}",
            "Created (UTC)": utc.strftime("%Y-%m-%d %H:%M"),
            "Amount": money(order.cents),
            "Amount Refunded": money(order.refunded),
            "Currency": "usd",
            "Mode": "Test" if void == 0 else "Live",
            "Status": "Failed" if void == 1 else status,
            "Customer ID": "" if order.customer < 0 else f"cus_{order.customer:04d}",
            "Customer Email": order.email,
            "Captured": "false" if void == 2 else "true",
        }
    ]


def online_retail(order: Order) -> list[dict[str, str]]:
    """Rows of Online Retail: one per line; an invoice of negative quantities pays back."""
    sold = [(str(490_000 + order.number), order.moment, 1, line) for line in order.lines]
    back = [(f"C{495_000 + order.number}", order.returned_at, -1, line) for line in order.back]
    return [
        {
            "Invoice": invoice,
            "StockCode": "TEST001" if order.kind == "void" else name,
            "Description": f"GOOD {name}",
            "Quantity": str(sign * quantity),
            "InvoiceDate": str(moment),
            "Price": f"{price / 100:g}",
            "Customer ID": "" if order.customer < 0 else f"{12_346 + order.customer}.0",
            "Country": "United Kingdom",
        }
        for invoice, moment, sign, (name, quantity, price) in sold + back
    ]


LAYOUTS = {
    "plain": (PLAIN, plain),
    "shopify": (SHOPIFY, shopify),
    "woocommerce": (WOOCOMMERCE, woocommerce),
    "stripe": (STRIPE, stripe),
    "online_retail": (RETAIL, online_retail),
}


def write(path: Path, header: str, rows: Iterable[dict[str, str]]) -> int:
    """Write a CSV file, blank where a row says nothing; return the number of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header.split(","), restval="", lineterminator="\n")
        writer.writeheader()
        number = 0
        for row in rows:
            writer.writerow(row)
            number += 1
    return number


def main() -> None:
    """Write the files into the folder named on the command line, by default tests/data/presets."""
    parser = argparse.ArgumentParser(description="Write one shop as four systems export it.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    orders = simulate()
    for name, (header, rows_of) in LAYOUTS.items():
        rows = [row for order in orders for row in rows_of(order)]
        print(f"{name}.csv: {write(folder / f'{name}.csv', header, rows):,} rows")


if __name__ == "__main__":
    main()
