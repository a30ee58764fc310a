"""Guess which columns of an order export hold the customer, the date and the amount."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clvmodel.errors import ColumnError
from clvmodel.tables.orders_sql import Columns

_USUAL = {
    "customer": (
        "customerid customer custid clientid client userid user buyerid buyer memberid accountid "
        "customeremail useremail email shopperid visitorid"
    ).split(),
    "date": (
        "date orderdate orderedat ordertime createdat purchasedate purchasedat transactiondate "
        "invoicedate paidat saledate timestamp datetime time day"
    ).split(),
    "value": (
        "amount value revenue total totalprice totalamount ordervalue ordertotal orderamount "
        "grandtotal netamount netsales sales spend monetaryvalue dollarvalue"
    ).split(),
}


def guess_columns(
    names: Sequence[str],
    customer: str | None = None,
    date: str | None = None,
    value: str | None = None,
) -> Columns:
    """Fill in the columns that were not named, by their usual names, whatever the case.

    An amount is optional. Raises ColumnError if no column looks like a customer or a date.

    >>> guess_columns(["Order ID", "Customer ID", "Order Date", "Total"])
    Columns(customer='Customer ID', date='Order Date', value='Total')
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    found = {"customer": customer, "date": date, "value": value}
    for role, usual in _USUAL.items():
        if found[role] is None:
            found[role] = next((plain[name] for name in usual if name in plain), None)
    for role in ("customer", "date"):
        if found[role] is None:
            raise ColumnError(
                f"No column looks like the {role}; name it with {role}=... (on the command line "
                f"--{role}). The columns are {', '.join(map(repr, names))}."
            )
    assert found["customer"] is not None
    assert found["date"] is not None
    return Columns(found["customer"], found["date"], found["value"])
