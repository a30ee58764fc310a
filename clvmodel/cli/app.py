"""The commands: audit, summarize, fit, score, total, explain, segment, economics, compare, report.

Files in, files out. Exit code 0: done; 1: could not (the data, a file); 2: called wrongly. Results
go to files or stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from clvmodel.cli.auditing import audit_command
from clvmodel.cli.deciding import decisions, economics_command, segment_command
from clvmodel.cli.inputs import AsJson, Input, Margin, Rate, done, reads_orders
from clvmodel.cli.scoring import fit_command, score_command, summarize_command
from clvmodel.cli.telling import explain_command, total_command
from clvmodel.errors import ClvError, ColumnError, DriftWarning, ParameterError, UnitError
from clvmodel.evaluate.backtest import backtest
from clvmodel.evaluate.comparison import Comparison
from clvmodel.evaluate.diagnose import diagnose
from clvmodel.present.customer_sections import IDS, report_ids
from clvmodel.tables.audit import audit
from clvmodel.tables.files import check_output, together, write_table, write_text
from clvmodel.tables.frames import read_frame
from clvmodel.value.value_model import ValueModel

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Customer lifetime value from an order history, held against the formulas.",
)

REPORT_FILES = ("comparison.json", "model.json", "scores.csv")
REPORT_FORMATS = {
    "html": ("report.html",),
    "xlsx": ("report.xlsx",),
    "md": ("report.md",),
    "json": ("report.json",),
    "both": ("report.html", "report.xlsx"),
}

Holdout = Annotated[
    str | None, typer.Option("--horizon", help="Length of the holdout; default: the last half.")
]
Cutoff = Annotated[
    str | None, typer.Option(help="Day on which the past ends; default: by horizon.")
]


app.command("audit")(audit_command)


app.command("summarize")(summarize_command)
app.command("fit")(fit_command)
app.command("score")(score_command)
app.command("total")(total_command)
app.command("explain")(explain_command)
app.command("segment")(segment_command)
app.command("economics")(economics_command)


def _compare(
    given: Input,
    cutoff: str | None,
    horizon: str | None,
    command: str,
    n_cutoffs: int | None = None,
) -> Comparison:
    comparison = backtest(
        given.orders,
        **given.reading,
        cutoffs=None if cutoff is None else [cutoff],
        n_cutoffs=n_cutoffs,
        horizon=horizon,
        unit=given.options.unit,
        progress=given.say,
    )
    return replace(
        comparison,
        data={**comparison.data, "source": given.label},
        options={**comparison.options, "command": command},
    )


@app.command("compare")
@reads_orders
def compare_command(
    given: Input,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .json, .html, or .csv (metrics).")
    ] = None,
    horizon: Holdout = None,
    cutoff: Cutoff = None,
    as_json: AsJson = False,
) -> None:
    """Compare models and formulas on the end of the history, which none of them has seen."""
    if out is not None:
        check_output(out, (".json", ".html", ".csv"))
    command = given.command("compare", cutoff=cutoff, horizon=horizon)
    comparison = _compare(given, cutoff, horizon, command)
    ending = "" if out is None else out.suffix.lower()
    if ending == ".html":
        comparison.to_html(out)
    elif ending == ".csv":
        write_table(read_frame(comparison.metrics)[0], out)
    elif ending == ".json":
        write_text(out, json.dumps(comparison.to_dict(), indent=2) + "\n")
    done(comparison.to_dict(), as_json, str(comparison))


@app.command("report")
@reads_orders
def report_command(
    given: Input,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("clv_report"),
    form: Annotated[
        str,
        typer.Option("--format", help="The report: html, md, json, xlsx, or both (html, xlsx)."),
    ] = "html",
    horizon: Holdout = None,
    cutoff: Cutoff = None,
    n_cutoffs: Annotated[
        int | None, typer.Option(help="Compare on as many holdouts, the last one in detail.")
    ] = None,
    ids: Annotated[str, typer.Option(help=f"Customers in the report: {', '.join(IDS)}.")] = "show",
    cac: Annotated[
        float | None, typer.Option(help="What winning a customer costs, for unit economics.")
    ] = None,
    discount_rate: Rate = 0.10,
    margin: Margin = 1.0,
    as_json: AsJson = False,
) -> None:
    """Do all of it: compare on a holdout, then fit to everything and score every customer.

    Writes report.html (or .md, .json, .xlsx) with the comparison, the audit of the orders, checks
    of the models, segments, tiers and cohorts; comparison.json, model.json and scores.csv. Scores
    look as far ahead as the holdout was long. `--ids hash` puts names into the report, workbook or
    not, that only scores.csv (its column report_id) can trace back; `hide` numbers customers.
    Prints the path of the report.
    """
    for name, chosen, known in (("--format", form, REPORT_FORMATS), ("--ids", ids, IDS)):
        if chosen not in known:
            raise ParameterError.not_one_of(name, chosen, known)
    if out.exists() and not out.is_dir():
        raise ParameterError(f"--out {out} is a file; name a folder.")
    for name in (*REPORT_FILES, *REPORT_FORMATS[form]):
        check_output(out / name, (Path(name).suffix,))
    more: dict[str, object] = {"discount_rate": discount_rate, "margin": margin}
    more |= {"n_cutoffs": n_cutoffs, "cac": cac}
    more |= {} if form == "html" else {"format": form}
    more |= {} if ids == "show" else {"ids": ids}
    command = given.command("report", cutoff=cutoff, horizon=horizon, **more)
    comparison = _compare(given, cutoff, horizon, command, n_cutoffs)
    summary = given.summarize()
    given.say("fitting and scoring every customer")
    model = ValueModel().fit(summary)
    ahead = f"{comparison.days}D"
    scores = model.predict(summary, ahead, discount_rate=discount_rate, margin=margin)
    parts = decisions(model, summary, ahead, margin, discount_rate, cac)
    parts |= {"scores": scores, "summary": summary, "ids": ids}
    parts |= {"horizon": ahead, "margin": margin}
    given.say("writing the report")
    table = read_frame(scores)[0]
    if ids == "hash":
        table = table.append_column("report_id", [report_ids(summary)])
    with together(out) as draft:
        write_text(draft / "comparison.json", json.dumps(comparison.to_dict(), indent=2) + "\n")
        model.save(draft / "model.json")
        write_table(table, draft / "scores.csv")
        for name in REPORT_FORMATS[form]:
            ending = Path(name).suffix[1:]
            if ending == "xlsx":
                comparison.to_excel(draft / name, **parts)
                continue
            found = audit(given.orders, **given.reading, unit=given.options.unit)
            checks = diagnose(model, summary)
            more_parts = {"audit": found, "diagnosis": checks, "format": ending, "model": model}
            comparison.to_html(draft / name, **parts, **more_parts)
    report = str(out / REPORT_FORMATS[form][0])
    given.say(str(comparison))
    done({"report": report, "comparison": comparison.to_dict()}, as_json, report)


@contextmanager
def _drift_in_one_line() -> Iterator[None]:
    """Tell a DriftWarning on stderr in one line, without the place in the code that raised it."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, DriftWarning):
            words = " ".join(line.removeprefix("- ") for line in str(message).splitlines())
            typer.echo(f"clvmodel: warning: {words}", err=True)
        else:
            usual(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DriftWarning)
        warnings.showwarning = show
        yield


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; every deliberate error is one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary files are removed
    try:
        with _drift_in_one_line():
            app(arguments, standalone_mode=True)
    except ClvError as error:
        typer.echo(f"clvmodel: {error}", err=True)
        sys.exit(2 if isinstance(error, ColumnError | ParameterError | UnitError) else 1)
    sys.exit(0)
