"""`make bench`: measure what this project claims about itself, and hold it against its limits.

Without arguments a selection that takes less than twenty minutes; with names of parts these. Each
part is printed as a table and left in `bench-out/` as CSV; with `--docs`, its table and chart in
docs/ are written anew. Fails where a figure is not within its limit.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tests.benchmarks.limits import broken, read_limits
from tests.benchmarks.page import write_chart, write_tables
from tests.benchmarks.parts import Options, Part, Row
from tests.benchmarks.parts.disruption import disruption
from tests.benchmarks.parts.distinct import distinct_pods
from tests.benchmarks.parts.explained import explanations
from tests.benchmarks.parts.gangs import gangs
from tests.benchmarks.parts.growth import growth
from tests.benchmarks.parts.ladder import ladder, rivals
from tests.benchmarks.parts.live import live
from tests.benchmarks.parts.never_worse import never_worse
from tests.benchmarks.parts.openb import openb_backlog, openb_windows
from tests.benchmarks.parts.openb_fit_all import openb_fit_all
from tests.benchmarks.parts.priority_matters import priority_matters, published_model
from tests.benchmarks.parts.rules import rules
from tests.benchmarks.parts.side_by_side import side_by_side
from tests.benchmarks.parts.small_windows import small_windows
from tests.benchmarks.parts.warm import warm

OUT = Path("bench-out")
PARTS: dict[str, Part] = {
    "windows": small_windows,
    "warm": warm,
    "rules": rules,
    "gangs": gangs,
    "distinct": distinct_pods,
    "ladder": ladder,
    "rivals": rivals,
    "priority-matters": priority_matters,
    "disruption": disruption,
    "published-model": published_model,
    "never-worse": never_worse,
    "openb-backlog": openb_backlog,
    "openb-fit-all": openb_fit_all,
    "openb-windows": openb_windows,
    "explain": explanations,
    "growth": growth,
    "live": live,
    "side-by-side": side_by_side,
}
LONG = ("published-model", "openb-windows", "explain", "growth", "live", "side-by-side")
"""What runs only when it is named."""
INSTANCES, SEEDS = 3, 1
"""Of the selection. The claims speak of 80 instances (2,000 of never-worse) and 5 seeds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    asked = _parser().parse_args(arguments)
    OUT.mkdir(exist_ok=True)
    limits = read_limits()
    worse: list[str] = []
    for name in asked.parts or [name for name in PARTS if name not in LONG]:
        print(f"\n{name}", flush=True)  # noqa: T201 -- tables are what this is for
        with tempfile.TemporaryDirectory() as folder:
            options = Options(Path(folder), asked.instances, asked.seeds)
            rows = [_told(row) for row in PARTS[name](options)]
        table = pd.DataFrame(rows)
        table.to_csv(OUT / f"{name}.csv", index=False)
        print(table.to_string(index=False))  # noqa: T201 -- as above
        worse += broken(rows, limits)
        if asked.docs:
            write_tables({name: table})
            write_chart(name, table)
    print("\n".join(["", *worse]) if worse else "\nEvery figure is within its limit.")  # noqa: T201 -- as above
    return 1 if worse else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of: {', '.join(PARTS)}")
    parser.add_argument("--instances", type=int, default=INSTANCES, help="of Priority Matters")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of the openb traces")
    parser.add_argument("--docs", action="store_true", help="write tables and charts in docs/")
    return parser


def _told(row: Row) -> Row:
    """Say that something was measured: the table is there only when all is."""
    print(f"  {row['name']}", file=sys.stderr, flush=True)  # noqa: T201 -- progress
    return row


if __name__ == "__main__":
    sys.exit(main())
