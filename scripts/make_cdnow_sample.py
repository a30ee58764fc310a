"""Write data/sample/cdnow_orders.csv: the 1-in-10 CDNOW sample as a plain table of orders."""

from __future__ import annotations

import argparse
from pathlib import Path

from clvmodel.datasets import load_cdnow

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"


def main() -> None:
    """Write the file into the folder named on the command line, by default data/sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SAMPLE)
    path = parser.parse_args().folder / "cdnow_orders.csv"
    orders = load_cdnow(sample=True)
    orders.to_csv(
        path, index=False, float_format="%.2f", date_format="%Y-%m-%d", lineterminator="\n"
    )
    print(f"{path.name}: {len(orders):,} orders of {orders['customer_id'].nunique():,} customers")


if __name__ == "__main__":
    main()
