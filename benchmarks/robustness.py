"""Fit hard data with this package and its peers, and write docs/robustness.md.

    python benchmarks/robustness.py [--lifetimes PYTHON] [--pymc PYTHON] [--mcmc] [--limit SECONDS]

Each package fits each case in a process of its own, with a time limit. `--lifetimes` and `--pymc`
name the interpreter in which a package is installed, if it is not this one; a package that cannot
be imported is left out, and the page says so. `--mcmc` adds pymc-marketing's sampler for BG/NBD.
`--keep` names a file that holds every answer, so that a run which was interrupted goes on.
`--model` restricts the run to one model. With `--case` (a part of its name) it is printed, not
written.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import hard_data
import numpy as np
import page
from peers import NAMES, columns

from clvmodel.models import PURCHASE_MODELS

HEADS = {
    "clvmodel": "clvmodel",
    "lifetimes": "lifetimes",
    "pymc": "pymc-marketing, MAP",
    "mcmc": "pymc-marketing, MCMC",
}
TITLES = {"BGNBD": "BG/NBD", "MBGNBD": "MBG/NBD", "ParetoNBD": "Pareto/NBD"}
SAME = 0.01  # log-likelihoods that differ by less are the same maximum
BEYOND = 1e4  # dimensionless parameters beyond this, or below its inverse, need a word
COMMAND = "python benchmarks/robustness.py"

TEXT = """
What each package gives on data that break fits: one customer, nobody who leaves, times in seconds,
a guest account with 20,000 purchases. Each fit ran in a process of its own, with defaults and
{limit} s of time, imports not counted in the seconds shown but in the limit; pymc-marketing had
compiled its models before, on other data. Log-likelihoods are all computed by one referee,
clvmodel's likelihood at the parameters returned, in the unit of the data; the first word is about
them:

- **maximum**: within {same} of the highest that any package found;
- **- 12.3**: so far below it. pymc-marketing maximizes a posterior, so that its priors, which are
  fixed in the unit of the data, draw it away; that is its intention, and shows what it costs;
- **raises**, **no answer**, **no number**: what it says.

*At a limit* means that the data have no inner maximum and the package says so, naming the
parameters and the limit; *beyond reason, unsaid* that a parameter is above {beyond:,.0f} or below
its inverse (time counted in mean T) and nothing is said of it. *Bad predictions* are expected
purchases, over the longest T, that are no number or negative. Megabytes are the peak of the
process, imports included. The first table counts the maxima and the *sound* answers: finite
parameters and predictions, and none beyond reason that is not explained.
"""


def answer(python: str, package: str, model: str, file: Path, limit: float) -> dict[str, Any]:
    """What a package gives in a process of its own."""
    worker = str(Path(__file__).with_name("peers.py"))
    command = [python, worker, package, model, str(file)]
    try:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError:
        return {"missing": True}
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with the processes it has started
        process.communicate()
        return {"late": limit}
    lines = stdout.strip().splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        last = (stderr.strip().splitlines() or ["no word"])[-1]
        return {"raises": f"process ended with code {process.returncode}: {last}"}


def referee(model: str, parameters: list[float], data: hard_data.Data) -> float:
    """Log-likelihood of all customers at these parameters; nan where they are none."""
    usable = model in PURCHASE_MODELS and all(np.isfinite(v) and v > 0 for v in parameters)
    if not usable:
        return float("nan")
    values = PURCHASE_MODELS[model](*parameters).log_likelihood(*columns(data))
    return float(np.sum(values * data.get("weight", 1.0)))


def far(model: str, parameters: list[float], data: hard_data.Data) -> bool:
    """Whether a parameter is beyond reason, with time counted in the mean T."""
    scales = {"alpha", "beta"}
    typical = float(np.average(data["T"], weights=data.get("weight"))) or 1.0
    sizes = [
        value / typical if name in scales else value
        for name, value in zip(NAMES[model], parameters, strict=True)
    ]
    return any(not 1 / BEYOND < size < BEYOND for size in sizes)


def cell(model: str, found: dict[str, Any], best: float, data: hard_data.Data) -> str:
    """One package on one case, in few words."""
    if "late" in found:
        return f"**no answer** in {found['late']:.0f} s"
    if "raises" in found:
        words = found["raises"].replace("|", "/")
        if "takes no weights" in words:
            return "takes no weights"
        return f"**raises** {words[:110]}{'...' if len(words) > 110 else ''}"
    parameters = found["parameters"]
    named = ", ".join(
        f"{name} {page.short(value)}" for name, value in zip(NAMES[model], parameters, strict=True)
    )
    words = [named]
    if np.isfinite(found["value"]):
        words.append(f"log L {found['value']:,.2f}")
        behind = best - found["value"]
        weight = data.get("weight", np.ones(1)).max()
        verdict = "**maximum**" if behind < SAME * weight else f"**- {page.short(behind)}**"
    else:
        verdict = "**no number**"
    if far(model, parameters, data):
        said = "do not bound" in found["words"] or "say nothing" in found["words"]
        verdict += ", at a limit" if said else ", *beyond reason, unsaid*"
    if found["converged"] is False:
        verdict += ", not converged, says so"
    if found.get("bad"):
        bad = found["bad"]
        many = f"{bad:,} of {found['predictions']:,}" if isinstance(bad, int) else bad
        words.append(f"*bad predictions*: {many}")
    words.append(f"{page.seconds(found['seconds'])}, {found['megabytes']:.0f} MB")
    return f"{verdict}<br>" + "<br>".join(words)


def run(options: argparse.Namespace, models: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return {model: {case: {package: answer}}}, and the versions that answered."""
    pythons = {"clvmodel": sys.executable, "lifetimes": options.lifetimes, "pymc": options.pymc}
    if options.mcmc:
        pythons["mcmc"] = options.pymc
    versions: dict[str, str] = {}
    results: dict[str, Any] = {}
    kept = page.Kept(options.keep)
    data = {name: case for name, case in hard_data.cases().items() if options.case in name}
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder, "warm.npz")
        np.savez(warm, **hard_data.ordinary(50, seed=2))
        for model in models:
            present = {
                p: python for p, python in pythons.items() if p != "mcmc" or model == "BGNBD"
            }
            for package, python in list(present.items()):
                first = kept.get(
                    [model, package],
                    lambda p=package, python=python, m=model: answer(
                        python, p, m, warm, 10 * options.limit
                    ),
                )
                if "missing" in first:
                    del present[package]
                versions.setdefault(package, first.get("version", "not installed"))
            for case, arrays in data.items():
                file = Path(folder, "case.npz")
                np.savez(file, **arrays)
                row = results.setdefault(model, {}).setdefault(case, {})
                for package, python in present.items():
                    row[package] = kept.get(
                        [model, package, case],
                        lambda p=package, python=python, m=model, f=file: answer(
                            python, p, m, f, options.limit
                        ),
                    )
                    print(f"{model}, {case}, {package}: {brief(row[package])}", file=sys.stderr)
    return results, versions


def brief(found: dict[str, Any]) -> str:
    """One line for the impatient."""
    if "parameters" not in found:
        return str(found)
    values = " ".join(page.short(value) for value in found["parameters"])
    return f"{values}, {found['seconds']:.2f} s, {found['words'][:60]}"


def tables(model: str, rows: dict[str, dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """The page's table of one model, and how often each package was "at the maximum / sound"."""
    data = {case: make() for case, make in hard_data.CASES.items() if case in rows}
    packages = list(next(iter(rows.values())))
    counts = {package: [0, 0] for package in packages}
    lines = []
    for case, row in rows.items():
        for found in row.values():
            if "parameters" in found:
                found["value"] = referee(model, found["parameters"], data[case])
        values = [f["value"] for f in row.values() if np.isfinite(f.get("value", np.nan))]
        best = max(values, default=np.nan)
        cells = [cell(model, row[package], best, data[case]) for package in packages]
        for package, words in zip(packages, cells, strict=True):
            sound = "log L" in words and "unsaid" not in words and "bad pred" not in words
            counts[package][0] += sound and words.startswith("**maximum**")
            counts[package][1] += sound
        lines.append([f"{case} ({data[case]['T'].size:,})", *cells])
    heads = ["data (customers)", *(HEADS[package] for package in packages)]
    return page.table(heads, lines, left=len(heads)), {
        p: f"{a} / {b}" for p, (a, b) in counts.items()
    }


def main() -> None:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lifetimes", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--pymc", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--mcmc", action="store_true")
    parser.add_argument("--limit", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--keep", metavar="FILE")
    parser.add_argument("--model", default="")
    parser.add_argument("--case", default="")
    options = parser.parse_args()
    models = [m for m in NAMES if m in PURCHASE_MODELS and options.model in ("", m)]
    results, versions = run(options, models)
    parts, scores = [], []
    for model in models:
        text, counts = tables(model, results[model])
        parts.append(f"## {TITLES[model]}\n\n{text}")
        count = len(results[model])
        scores.append([TITLES[model], count, *(counts.get(p, "-") for p in HEADS)])
    heads = ["maximum / sound", "cases", *HEADS.values()]
    text = TEXT.format(limit=f"{options.limit:.0f}", same=SAME, beyond=BEYOND)
    names = {"pymc": "pymc-marketing"}
    shown = {names.get(p, p): v for p, v in versions.items() if p != "mcmc"}
    shown |= {name: page.version_of(name) for name in ("numpy", "scipy")}
    flags = (
        "".join(
            f" --{p} PYTHON"
            for p in ("lifetimes", "pymc")
            if p in versions and getattr(options, p) != sys.executable
        )
        + " --mcmc" * options.mcmc
        + f" --model {options.model}" * bool(options.model)
    )
    whole = [
        page.header("Hard data", COMMAND + flags, shown, text),
        page.table(heads, scores),
        *parts,
    ]
    if options.case:
        print("\n".join(whole))
    else:
        print(page.write("robustness.md", whole))


if __name__ == "__main__":
    main()
