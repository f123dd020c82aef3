"""`make bench`: the ladder of sizes as a table, held against the limits beside their evidence.

Each size runs in a process of its own, so that its memory is its own. Prints a table, writes it as
CSV, and fails where a figure is worse than its limit in `limits.toml`.
"""

import json
import resource
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
LIMITS = HERE / "limits.toml"
RESULTS = HERE / "results.csv"


@dataclass(frozen=True, slots=True)
class Size:
    """One step of the ladder."""

    nodes: int
    pods: int
    classes: int
    time_limit_s: float

    @property
    def name(self) -> str:
        """As the limits name it."""
        return f"{self.nodes}x{self.pods}"


LADDER = (
    Size(100, 400, 20, 2.0),
    Size(1_000, 4_000, 60, 2.0),
    Size(5_000, 20_000, 60, 15.0),
    Size(10_000, 50_000, 60, 30.0),
)


def main() -> int:
    """Run every size, print the table, hold it against the limits."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(Size(*json.loads(sys.argv[1])))))  # noqa: T201 -- to our parent
        return 0
    rows = [_in_a_process(size) for size in LADDER]
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS, index=False)
    print(table.to_string(index=False))  # noqa: T201 -- the table is what this is for
    worse = list(_worse(rows, tomllib.loads(LIMITS.read_text())))
    print("\n".join(worse) or "Every figure is within its limit.")  # noqa: T201 -- as above
    return 1 if worse else 0


def measure(size: Size) -> dict[str, Any]:
    """Solve one size in this process; its figures."""
    from batchsched.profile import named_profiles  # noqa: PLC0415 -- only the child pays
    from batchsched.scheduler import Limits, schedule  # noqa: PLC0415 -- as above
    from batchsched.snapshot.snapshot import pending  # noqa: PLC0415 -- as above
    from tests.benchmarks.instances.backlog import backlog  # noqa: PLC0415 -- as above

    snapshot = backlog(size.nodes, size.pods, size.classes)
    limits = Limits(time_limit_s=size.time_limit_s, workers=2)
    profile = named_profiles()["placed-only"]
    start_s = time.monotonic()
    plan = schedule(snapshot, pending(snapshot), profile, limits, time.monotonic)
    total_s = time.monotonic() - start_s
    tiers = [tier for tier in plan.tiers if tier.name.startswith("placed/")]
    value, bound = sum(t.value for t in tiers), sum(t.bound for t in tiers)
    seconds = plan.solver.seconds
    return {
        "size": size.name,
        "classes": plan.solver.classes,
        "columns": plan.solver.columns,
        "placed": value,
        "gap_percent": round(100 * (bound - value) / max(bound, 1), 4),
        "compile_s": seconds.compile,
        "greedy_s": seconds.greedy,
        "relax_s": seconds.relax,
        "search_s": seconds.search,
        "verify_s": seconds.verify,
        "total_s": round(total_s, 2),
        "limit_s": size.time_limit_s,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _in_a_process(size: Size) -> dict[str, Any]:
    argument = json.dumps([size.nodes, size.pods, size.classes, size.time_limit_s])
    command = [sys.executable, "-m", "tests.benchmarks.run", argument]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _worse(rows: list[dict[str, Any]], limits: dict[str, Any]) -> list[str]:
    """A line for each figure that is beyond its limit."""
    found = []
    for row in rows:
        for figure, most in limits.get(row["size"], {}).items():
            if row[figure] > most:
                found.append(f"{row['size']}: {figure} is {row[figure]}, limit {most}")
    return found


if __name__ == "__main__":
    sys.exit(main())
