"""Real order histories to try things on, from files that the `lifetimes` package carries."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from clvmodel.errors import FileError, MissingDependencyError
from clvmodel.tables.frames import native_frame


def load_cdnow(sample: bool = False) -> Any:
    """Orders at the CD retailer CDNOW by everyone who first bought there in early 1997.

    Returns a pandas table with columns customer_id (text), date, quantity (CDs) and amount (US
    dollars), from 1997-01-01 to 1998-06-30: 69,659 orders of 23,570 customers or, with
    `sample=True`, the 6,919 orders of the 2,357 customers of the papers' 1-in-10 sample.

    Source: Fader & Hardie (2001), Forecasting Repeat Sales at CDNOW; read from the files inside
    the installed `lifetimes` package, which is not imported.
    """
    if sample:
        rows = _lines("load_cdnow", "CDNOW_sample.txt", skip=0)
        ids, dates, quantities, amounts = (rows[:, i] for i in (1, 2, 3, 4))
    else:
        rows = _lines("load_cdnow", "CDNOW_master.txt", skip=1)
        ids, dates, quantities, amounts = (rows[:, i] for i in range(4))
    iso = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in dates]
    return native_frame(
        {
            "customer_id": ids.tolist(),
            "date": np.array(iso, dtype="datetime64[s]"),
            "quantity": quantities.astype(np.int64),
            "amount": amounts.astype(float),
        }
    )


def load_donations() -> Any:
    """Donors to a public radio station: who gave in which of the six years after their first gift.

    Returns a pandas table of 22 rows, one per history, with columns frequency (years with a gift
    among 1996 to 2001), recency (the last of them, 1 to 6), n (6 years) and weight (donors): 11,104
    donors who first gave in 1995. `clv.fit(clv.BGBB, load_donations())` is the fit of the paper.

    Source: Fader, Hardie & Shang (2010), Marketing Science 29(6):1086-1108; read from the file
    inside the installed `lifetimes` package, which is not imported.
    """
    rows = _lines("load_donations", "donations.csv", skip=1, between=",")
    names = ("frequency", "recency", "n", "weight")
    return native_frame({name: rows[:, i].astype(np.int64) for i, name in enumerate(names)})


def _lines(
    loader: str, name: str, skip: int, between: str | None = None
) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Fields of a file that lifetimes carries, after `skip` lines; `between` them stands this."""
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        raise MissingDependencyError.for_feature("lifetimes", loader, ImportError("not installed"))
    path = Path(spec.origin).parent / "datasets" / name
    if not path.exists():
        raise FileError(f"The installed lifetimes package does not carry {name}.")
    lines = path.read_text().splitlines()[skip:]
    return np.array([line.split(between) for line in lines if line.strip()])
