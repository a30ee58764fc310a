"""`clvmodel segment | economics`: who is who, and what a customer may cost."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from clvmodel.cli.inputs import (
    AsJson,
    Input,
    Margin,
    Model,
    Rate,
    done,
    profit,
    reads_orders,
)
from clvmodel.cli.scoring import stored_summary
from clvmodel.errors import DataError, ParameterError
from clvmodel.present.workbook import write_workbook
from clvmodel.tables.files import TABLES, check_output, together, write_table, write_text
from clvmodel.tables.first_order import first_order
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary
from clvmodel.value.cohorts import cohorts as cohort_table
from clvmodel.value.deciding import segment, tier
from clvmodel.value.economics import UnitEconomics
from clvmodel.value.fitted import load
from clvmodel.value.rfm import RFM, FittedRFM, read_json
from clvmodel.value.segment_rules import TABLES as RULES
from clvmodel.value.segments import Segmentation
from clvmodel.value.tiering import LISTS, Tiering
from clvmodel.value.tiers import KINDS, Tiers
from clvmodel.value.value_model import ValueModel

FORMAT = "clvmodel.thresholds/1"

Horizon = Annotated[str, typer.Option(help="How far ahead value counts: 365D, 12M, 3Y.")]
Workbook = Annotated[Path | None, typer.Option(help="Excel workbook (.xlsx) to write, too.")]
Costs = Annotated[
    str | None,
    typer.Option(help="One number, or one for each group: search=30,email=12."),
]


@reads_orders
def segment_command(
    given: Input,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file of customers to write.")],
    rules: Annotated[
        str | None, typer.Option(help=f"Segments: {', '.join(RULES)}; default: eleven.")
    ] = None,
    tiers: Annotated[
        str | None, typer.Option(help=f"Tiers of value: {', '.join(KINDS)}; default: vip.")
    ] = None,
    lists: Annotated[
        Path | None,
        typer.Option(help="Folder for a CSV per tier and per list, for a mailing tool."),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="Reuse the thresholds that --save wrote, with their options."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="JSON file to write thresholds to.")] = None,
    xlsx: Workbook = None,
    model: Model = None,
    horizon: Annotated[
        str | None, typer.Option(help="How far ahead value counts; default: 365D.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(callback=profit, help="Share of revenue that is profit; default: 1."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put every customer into an RFM segment and a tier of predicted value; lists to act on."""
    check_output(out, TABLES)
    for path, endings in ((save, (".json",)), (xlsx, (".xlsx",))):
        if path is not None:
            check_output(path, endings)
    kept = None if thresholds is None else _thresholds(thresholds)
    asked = {"rules": rules, "tiers": tiers, "horizon": horizon, "margin": margin}
    options = _options(asked, kept, thresholds)
    rules, how = options["rules"], {name: options[name] for name in ("horizon", "margin")}
    fitted = None if model is None else load(model)
    with stored_summary(given, out) as stored:
        summary = stored.held()
        fitted = fitted or _fit(given, summary)
        given.say("segments and tiers")
        rfm: Any = RFM(levels=RULES[rules].levels) if kept is None else kept.rfm
        segments = segment(summary, fitted, rules=rules, rfm=rfm, **how)
        how |= {} if kept is None else kept.tiers
        if isinstance(segments, Segmentation):
            how["predictions"] = segments.frame
        tiered = tier(summary, fitted, kind=options["tiers"], **how)
        table = _write_customers(segments, tiered, out)
        if save is not None:
            _save_thresholds(save, options, segments, tiered)
        files = [] if lists is None else _write_lists(tiered, lists)
        if xlsx is not None:
            write_workbook(xlsx, segments=segments, tiers=tiered, scores=table)
        value = f"Value: of {options['horizon']} ahead, after a margin of {options['margin']:.0%}."
        given.say(f"{segments}\n{tiered}\n{value}")
        result = {
            "customers": len(summary),
            "out": str(out),
            "options": options,
            "segments": read_frame(segments.table())[0].to_pylist() if as_json else None,
            "tiers": read_frame(tiered.table)[0].to_pylist(),
            "lists": read_frame(tiered.lists)[0].to_pylist(),
            "files": files,
        }
    done(result, as_json, str(out))


@reads_orders
def economics_command(
    given: Input,
    cac: Costs = None,
    spend: Costs = None,
    new_customers: Costs = None,
    period: Annotated[
        str | None,
        typer.Option(help="Days of the spend, 2025-01-01:2025-12-31: whom it won is counted."),
    ] = None,
    channel_column: Annotated[
        str | None,
        typer.Option(help="Column whose text on the first order is the customer's channel."),
    ] = None,
    cohorts: Annotated[
        bool, typer.Option("--cohorts", help="By month of the first purchase.")
    ] = False,
    conversion_rate: Costs = None,
    target_ratio: Annotated[float, typer.Option(help="LTV:CAC asked for.")] = 3.0,
    uplift: Annotated[
        float | None, typer.Option(help="Share by which an offer raises a customer's year.")
    ] = None,
    offer_cost: Annotated[float | None, typer.Option(help="What an offer costs.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV or Parquet file to write.")] = None,
    xlsx: Workbook = None,
    model: Model = None,
    horizon: Horizon = "3Y",
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    as_json: AsJson = False,
) -> None:
    """What customers are worth and may cost, by the model and by the store formula."""
    for path, endings in ((out, TABLES), (xlsx, (".xlsx",))):
        if path is not None:
            check_output(path, endings)
    if channel_column is not None and cohorts:
        raise ParameterError("Give --channel-column or --cohorts, not both.")
    costs = {
        "cac": _costs("--cac", cac),
        "spend": _costs("--spend", spend),
        "new_customers": _costs("--new-customers", new_customers),
        "conversion_rate": _costs("--conversion-rate", conversion_rate),
    }
    fitted = None if model is None else load(model)
    by = "cohort" if cohorts else channel_column
    summary: Any = given.held() if by is None else given.summarize()
    if channel_column is not None:
        summary = summary.join(first_order(given.orders, channel_column, **given.reading))
    fitted = fitted or _fit(given, summary)
    found = UnitEconomics(
        fitted,
        summary,
        by=by,
        period=_period(period),
        margin=margin,
        horizon=horizon,
        discount_rate=discount_rate,
        target_ratio=target_ratio,
        uplift=uplift,
        offer_cost=offer_cost,
        **costs,
    )
    if out is not None:
        write_table(read_frame(found.table)[0], out)
    if xlsx is not None:
        write_workbook(xlsx, economics=found)
    costs_table = read_frame(found.costs)[0].to_pylist()
    done({"costs": costs_table, "economics": found.rows}, as_json, str(found))


def decisions(
    model: Any,
    summary: Summary,
    horizon: str,
    margin: float,
    discount_rate: float = 0.10,
    cac: float | None = None,
) -> dict[str, Any]:
    """What a report shows beside the comparison; without amounts, no segments."""
    parts: dict[str, Any] = {
        "tiers": tier(summary, model, horizon=horizon, margin=margin),
        "cohorts": cohort_table(summary, model),
    }
    if summary.total_value is not None:
        parts["segments"] = segment(summary, model, horizon=horizon, margin=margin)
    if cac is not None:
        parts["economics"] = UnitEconomics(
            model, summary, cac=cac, margin=margin, discount_rate=discount_rate
        )
    return parts


def _fit(given: Input, summary: Any) -> Any:
    given.say("fitting")
    return ValueModel().fit(summary)


@dataclass(frozen=True)
class _Customers:
    """Makes the table of a part's customers: their segments, then their tiers and lists."""

    segmenting: Any
    in_tiers: Any

    def __call__(self, part: Summary) -> Any:
        found = self.segmenting(part)
        return _joined(found, self.in_tiers.of(part, found.frame))


def _joined(segments: Segmentation, tiered: Tiering) -> Any:
    """Arrow table of customers: their segments, then their tiers and lists."""
    table, more = read_frame(segments.frame)[0], read_frame(tiered.frame)[0]
    for name in ("past_value", "days_silent", "tier", "list"):
        table = table.append_column(name, more[name])
    return table


def _write_customers(segments: Any, tiered: Any, out: Path) -> Any:
    """Write the customers; returns their table, unless they are too many to hold."""
    if isinstance(segments, Segmentation):
        table = _joined(segments, tiered)
        write_table(table, out)
        return table
    customers = _Customers(segments.function, tiered.function)
    segments.summary.map_to(out, customers, len(segments.summary))
    return None


class _Kept(NamedTuple):
    """Thresholds that were saved, and the options that they belong to."""

    options: dict[str, Any]
    rfm: FittedRFM
    tiers: dict[str, Tiers]


_TIERS = ("tiers", "past_tiers", "vips")
_DEFAULTS = {"rules": "eleven", "tiers": "vip", "horizon": "365D", "margin": 1.0}


def _options(asked: dict[str, Any], kept: _Kept | None, path: Path | None) -> dict[str, Any]:
    """Options that were given, else those of the saved thresholds, which they must not contradict.

    Raises ParameterError.
    """
    options = dict(_DEFAULTS if kept is None else kept.options)
    for name, value in asked.items():
        if value is None:
            continue
        if kept is not None and value != options[name]:
            raise ParameterError(
                f"--{name} {value}, but the thresholds in {path} were found with {options[name]}: "
                f"leave out --{name}, or --thresholds."
            )
        options[name] = value
    for name, known in (("rules", RULES), ("tiers", KINDS)):
        if options[name] not in known:
            raise ParameterError.not_one_of(f"--{name}", options[name], known)
    return options


def _save_thresholds(path: Path, options: dict[str, Any], segments: Any, tiered: Any) -> None:
    plain = {name: getattr(tiered, name).to_dict() for name in _TIERS}
    said = {"format": FORMAT, "options": options, "rfm": segments.rfm.to_dict(), **plain}
    write_text(path, json.dumps(said, indent=2) + "\n")


def _thresholds(path: Path) -> _Kept:
    data = read_json(path)
    if data.get("format") != FORMAT:
        raise DataError(f"{path} holds no thresholds that `segment --save` wrote.")
    try:
        tiers = {name: Tiers.from_dict(data[name]) for name in _TIERS}
        options = {name: data["options"][name] for name in _DEFAULTS}
        return _Kept(options, FittedRFM.from_dict(data["rfm"]), tiers)
    except (KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _write_lists(tiered: Any, folder: Path) -> list[str]:
    """Write a CSV per tier and per list, all or none; their names."""
    names = [*tiered.tiers.names, *LISTS]
    files = [re.sub(r"\W+", "_", name.lower()) + ".csv" for name in names]
    files = [f"tier_{f}" if i < len(tiered.tiers.names) else f for i, f in enumerate(files)]
    with together(folder) as draft:
        for name, file in zip(names, files, strict=True):
            write_table(read_frame(tiered.action(name))[0], draft / file)
    return [str(folder / file) for file in files]


def _period(text: str | None) -> tuple[str, str] | None:
    """First and last day."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon:
        rule = "a first and a last day, 2025-01-01:2025-12-31"
        raise ParameterError.out_of_range("--period", text, rule)
    return first.strip(), last.strip()


def _costs(option: str, text: str | None) -> Any:
    """One number, or a number per group."""
    if text is None:
        return None
    parts = [part.rpartition("=") for part in text.split(",")]
    try:
        if len(parts) == 1 and not parts[0][1]:
            return float(text)
        if all(sign for _, sign, _ in parts):
            return {name.strip(): float(number) for name, _, number in parts}
    except ValueError:
        pass
    raise ParameterError.out_of_range(option, text, "a number, or numbers as search=30,email=12")
