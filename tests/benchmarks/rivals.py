"""Rivals: who else could decide on the same snapshot, each in a process of its own.

The greedy policies that schedulers have without a solver, and the textbook's model under the same
time limit. Run as ``python -m tests.benchmarks.rivals NAME FILE SECONDS``; prints one line of JSON.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchsched.feasibility.compile import compile_problem
from batchsched.sim.policies import SCORES, greedy
from batchsched.snapshot.read import read
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.benchmarks import textbook
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.process import run

TEXTBOOK, TEXTBOOK_MOVES, PUBLISHED = "textbook", "textbook with moves", "published model"
"""Running pods stay; they may go and move; and, as in Priority Matters, few of them may."""
POLICIES = tuple(SCORES)


def compare(name: str, path: Path, time_limit_s: float, options: Options) -> Row:
    """What a rival makes of a snapshot.

    Args:
        name: ``TEXTBOOK``, ``TEXTBOOK_MOVES``, ``PUBLISHED``, or a policy.
        path: The snapshot.
        time_limit_s: Policies take the time they take.
        options: How many workers there are.
    """
    limit, workers = str(time_limit_s), str(options.workers)
    done = run(["tests.benchmarks.rivals", name, str(path), limit, workers])
    if done.code:
        raise RuntimeError(done.errors)
    row: Row = json.loads(done.output)
    return row | {"memory_mib": done.memory_mib}


def placed_by(name: str, snapshot: Snapshot, time_limit_s: float, workers: int) -> Row:
    """Decide in this process; pods placed by priority, highest first."""
    start_s = time.monotonic()
    if name in SCORES:
        plan = greedy(name)(snapshot, pending(snapshot))
        found: dict[str, Any] = {"tiers": [tier.value for tier in plan.tiers]}
    else:
        found = _by_textbook(name, snapshot, time_limit_s, workers)
    return found | {"placed": sum(found["tiers"]), "seconds": round(time.monotonic() - start_s, 2)}


def _by_textbook(
    name: str, snapshot: Snapshot, time_limit_s: float, workers: int
) -> dict[str, Any]:
    starts = {}
    if name != TEXTBOOK:
        index = {node.name: i for i, node in enumerate(snapshot.nodes)}
        starts = {pod.key: index[pod.node] for pod in snapshot.pods if pod.node is not None}
        free = tuple(replace(pod, node=None, phase="Pending") for pod in snapshot.pods)
        snapshot = replace(snapshot, pods=free)
    problem = compile_problem(snapshot, pending(snapshot))
    answer = textbook.solve(
        problem, time_limit_s, workers, time.monotonic, starts, settled=name == PUBLISHED
    )
    return {
        "tiers": [answer.placed[priority] for priority in sorted(answer.placed, reverse=True)],
        "proven": all(answer.proven.values()),
        "disturbed": answer.disturbed,
        "evicted": answer.evicted,
        "booleans": answer.booleans,
        "build_s": round(answer.build_s, 2),
    }


def main(name: str, path: str, time_limit_s: str, workers: str) -> None:
    """Decide on one snapshot, and print what came of it."""
    snapshot = read([(path, Path(path).read_bytes())])
    print(json.dumps(placed_by(name, snapshot, float(time_limit_s), int(workers))))  # noqa: T201 -- to our parent


if __name__ == "__main__":
    main(*sys.argv[1:])
