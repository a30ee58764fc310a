"""Ready-made mappings of well-known order exports: which column, or expression, holds what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clvmodel.errors import ColumnError, ParameterError
from clvmodel.tables.orders_sql import blank_is_null, quote

_NOTHING = "CAST(NULL AS VARCHAR)"


@dataclass(frozen=True)
class Preset:
    """How to read an export, in SQL over its columns.

    `columns` gives each column that is read the names that it goes by, the best first; those of
    `optional` may be missing. The expressions name columns in braces, and find there text without
    white space around it, NULL where it is blank. `void` is true of rows that are no sale
    (cancelled, failed, test); `gross` is the amount before, `refunded` (NULL for none) what was
    paid back, of which exports do not say when. `of_order` says that amounts are those of the
    order, written on its first line or on each, rather than the line's: they then count once, on
    one line, further lines are merged into it with amount 0, and what is blank on a line is what
    another line of the order says.

    `words` say what is mapped to what, for `str(preset)`; `source` where the names are documented.
    """

    name: str
    title: str
    source: str
    columns: Mapping[str, tuple[str, ...]]
    optional: frozenset[str]
    customer: str
    date: str
    gross: str
    refunded: str
    order_id: str
    currency: str
    void: str
    of_order: bool
    words: Mapping[str, str]

    def __str__(self) -> str:
        """Say which column is taken for what, and what is left out: a few lines."""
        lines = [f"preset {self.name!r}: {self.title}"]
        return "\n".join(lines + [f"  {what}: {words}" for what, words in self.words.items()])

    def found(self, names: Iterable[str]) -> dict[str, str]:
        """Which of the columns `names` are read, by what they are; raises ColumnError."""
        present = list(names)
        known = {
            what: next((name for name in called if name in present), None)
            for what, called in self.columns.items()
        }
        missing = [
            " or ".join(map(repr, self.columns[what]))
            for what, name in known.items()
            if name is None and what not in self.optional
        ]
        if missing:
            raise ColumnError(
                f"preset={self.name!r} needs the column{'s' if len(missing) > 1 else ''} "
                f"{', '.join(missing)}, which {self.title} has; the columns are "
                f"{', '.join(map(repr, present[:20]))}."
            )
        return {what: name for what, name in known.items() if name is not None}

    def select(self, table: str, names: Iterable[str], refunds: str, ordered: bool) -> str:
        """SQL of a table's rows in the columns that a summary and an audit read.

        They are customer, date, value, order_id, currency (all text), void, paid_back (whether
        something was) and line (a hash of the row). With `refunds` "drop", what was paid back is
        not subtracted. If `ordered`, the rows come in the order of the table.
        """
        found = self.found(names)
        text = {w: blank_is_null(found[w]) if w in found else _NOTHING for w in self.columns}
        refunded = _NOTHING if refunds == "drop" else self.refunded.format_map(text)
        mapped = {
            what: getattr(self, what).format_map(text)
            for what in ("customer", "date", "order_id", "currency", "gross", "void")
        }
        mapped["void"] = f"coalesce({mapped['void']}, FALSE)"
        chosen = ", ".join(f"{sql} AS {quote(what)}" for what, sql in mapped.items())
        lines = f"SELECT {chosen}, {refunded} AS refunded, hash({table}) AS line"
        if self.of_order:
            lines = _merged(f"{lines}, row_number() OVER () AS number FROM {table}")
        else:
            lines += f" FROM {table}"
        paid_back = (
            f"coalesce({_number('refunded')} > 0, FALSE) OR coalesce({_number('gross')} < 0, FALSE)"
        )
        return (
            f"SELECT customer, date, {_DIFFERENCE} AS value, order_id, currency, void, "
            f"{paid_back} AS paid_back, line FROM ({lines})"
            + (" ORDER BY number" if ordered and self.of_order else "")
        )


def _number(text: str) -> str:
    return f"TRY_CAST({text} AS DOUBLE)"


# What is no number stays text, to be refused as such.
_DIFFERENCE = (
    f"CASE WHEN refunded IS NULL OR gross IS NULL OR {_number('refunded')} = 0 THEN gross "
    f"ELSE coalesce(CAST({_number('gross')} - {_number('refunded')} AS VARCHAR), "
    "gross || ' - ' || refunded) END"
)


def _merged(lines: str) -> str:
    """Lines of which one has the amounts of the order, and the others have none."""
    of_order = "PARTITION BY coalesce(order_id, 'line ' || chr(0) || number)"
    first = f"row_number() OVER ({of_order} ORDER BY gross IS NULL, number) = 1"
    filled = ", ".join(
        f"coalesce({name}, max({name}) OVER ({of_order})) AS {name}"
        for name in ("customer", "date", "currency")
    )
    known = f"max(gross) OVER ({of_order}) IS NOT NULL"
    return (
        f"SELECT {filled}, order_id, bool_or(void) OVER ({of_order}) AS void, line, number, "
        f"CASE WHEN {first} THEN gross WHEN {known} THEN '0' END AS gross, "
        f"CASE WHEN {first} THEN refunded END AS refunded FROM ({lines})"
    )


_SHOPIFY = Preset(
    name="shopify",
    title="the export of orders from Shopify's admin",
    source="Shopify's help page on exporting orders: one row per line of an order, what concerns "
    "the order on the first of them",
    columns={
        "order": ("Name",),
        "email": ("Email",),
        "created": ("Created at",),
        "total": ("Total",),
        "status": ("Financial Status",),
        "cancelled": ("Cancelled at",),
        "refunded": ("Refunded Amount",),
        "payment": ("Payment Method",),
        "currency": ("Currency",),
    },
    optional=frozenset({"refunded", "payment", "currency"}),
    customer="lower({email})",
    date="{created}",
    gross="{total}",
    refunded="{refunded}",
    order_id="{order}",
    currency="{currency}",
    void="{cancelled} IS NOT NULL OR lower({payment}) LIKE '%bogus%' OR "
    "lower({status}) IN ('pending', 'authorized', 'expired', 'unpaid', 'voided')",
    of_order=True,
    words={
        "customer": "Email, in lower case",
        "date": "Created at, the shop's own day",
        "value": "Total - Refunded Amount (with taxes and shipping)",
        "order": "Name; its lines are one order",
        "left out": "Cancelled at is filled; Financial Status is pending, authorized, expired, "
        "unpaid or voided; Payment Method is the bogus one of tests",
    },
)

_AWAITED = "'pending', 'on-hold', 'cancelled', 'failed', 'draft', 'checkout-draft', 'auto-draft'"
_WOOCOMMERCE = Preset(
    name="woocommerce",
    title="an export of orders from WooCommerce, with the columns of its order export suite",
    source="WooCommerce's documentation of Import and Export of WooCommerce Orders",
    columns={
        "order": ("order_id", "order_number"),
        "billing": ("billing_email", "customer_email"),
        "account": ("customer_email",),
        "created": ("order_date",),
        "total": ("order_total",),
        "status": ("status",),
        "refunded": ("refunded_total",),
        "refunds": ("refund_items",),
        "currency": ("order_currency",),
    },
    optional=frozenset({"account", "refunded", "refunds", "currency"}),
    customer="lower(coalesce({billing}, {account}))",
    date="{created}",
    gross="{total}",
    # refund_items reads amount:5.00|reason:...|date:...;amount:...
    refunded="coalesce({refunded}, CAST(list_sum(list_transform(regexp_extract_all({refunds}, "
    "'amount:-?([0-9.]+)', 1), lambda each: TRY_CAST(each AS DOUBLE))) AS VARCHAR), "
    "CASE WHEN lower({status}) IN ('refunded', 'wc-refunded') THEN {total} END)",
    order_id="{order}",
    currency="{currency}",
    void=f"regexp_replace(lower({{status}}), '^wc-', '') IN ({_AWAITED}, 'trash')",
    of_order=True,
    words={
        "customer": "billing_email, else customer_email, in lower case",
        "date": "order_date, the shop's own day",
        "value": "order_total - refunded_total, else - the amounts of refund_items (with taxes and "
        "shipping); nothing where status is refunded",
        "order": "order_id, else order_number; its lines are one order",
        "left out": "status is pending, on-hold, cancelled, failed, a draft or trash",
    },
)

_STRIPE = Preset(
    name="stripe",
    title="the export of payments from Stripe's dashboard",
    source="Stripe's pages on exporting payments; a row is a payment, times are UTC",
    columns={
        "order": ("id", "PaymentIntent ID"),
        "created": ("Created (UTC)", "Created date (UTC)"),
        "total": ("Amount",),
        "refunded": ("Amount Refunded",),
        "status": ("Status",),
        "person": ("Customer Email", "Customer ID"),
        "email": ("Customer Email",),
        "account": ("Customer ID",),
        "mode": ("Mode",),
        "captured": ("Captured",),
        "currency": ("Currency",),
    },
    optional=frozenset({"refunded", "email", "account", "mode", "captured", "currency"}),
    customer="coalesce(lower({email}), {account})",
    date="{created}",
    gross="{total}",
    refunded="{refunded}",
    order_id="{order}",
    currency="{currency}",
    void="{status} IS NULL OR lower({status}) NOT IN ('paid', 'succeeded', 'refunded', "
    "'partially refunded', 'disputed') OR lower({captured}) = 'false' OR lower({mode}) = 'test'",
    of_order=False,
    words={
        "customer": "Customer Email, in lower case, else Customer ID",
        "date": "Created (UTC), the day in Greenwich",
        "value": "Amount - Amount Refunded",
        "order": "id",
        "left out": "Status is not Paid, Succeeded, Refunded, Partially refunded or Disputed; "
        "Captured is false; Mode is Test",
    },
)

_ONLINE_RETAIL = Preset(
    name="online_retail",
    title="the data sets Online Retail and Online Retail II of the UCI repository",
    source="the list of variables of Online Retail II, and of Online Retail, which has other names",
    columns={
        "order": ("Invoice", "InvoiceNo"),
        "quantity": ("Quantity",),
        "price": ("Price", "UnitPrice"),
        "created": ("InvoiceDate",),
        "person": ("Customer ID", "CustomerID"),
        "stock": ("StockCode",),
    },
    optional=frozenset({"stock"}),
    # Ids are whole numbers, which tools write as 13085.0 where others are blank.
    customer="regexp_replace({person}, '^([0-9]+)\\.0$', '\\1')",
    date="{created}",
    gross=f"CASE WHEN {{quantity}} IS NOT NULL AND {{price}} IS NOT NULL THEN coalesce("
    f"CAST({_number('{quantity}')} * {_number('{price}')} AS VARCHAR), "
    "{quantity} || ' x ' || {price}) END",
    refunded=_NOTHING,
    order_id="{order}",
    currency=_NOTHING,
    void="upper({stock}) LIKE 'TEST%'",
    of_order=False,
    words={
        "customer": "Customer ID (CustomerID)",
        "date": "InvoiceDate",
        "value": "Quantity x Price (UnitPrice), summed over the lines of an invoice; negative for "
        "invoices that begin with C, cancellations, which are refunds",
        "order": "Invoice (InvoiceNo)",
        "left out": "StockCode begins with TEST",
    },
)

PRESETS: Mapping[str, Preset] = {
    each.name: each for each in (_SHOPIFY, _WOOCOMMERCE, _STRIPE, _ONLINE_RETAIL)
}


def preset_named(name: str) -> Preset:
    """Return the preset of a name; raises ParameterError if there is none."""
    if name not in PRESETS:
        raise ParameterError.not_one_of("preset", name, PRESETS)
    return PRESETS[name]
