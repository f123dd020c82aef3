"""One measurement of `batchsched solve`, as people run it: a file in, a plan out.

The plan says where the seconds went; the process around it, how long it all took and how much
memory.
"""

from dataclasses import dataclass
from pathlib import Path

from batchsched.plan.plan import Plan, PlanTier, read_plan
from batchsched.snapshot.encode_cluster import written
from batchsched.snapshot.snapshot import Snapshot
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.process import Finished, run

BAD_INPUT = 2
LATE_SHARE, LATE_S = 0.1, 0.2
"""By how much a time limit may be overrun, loading apart."""


class NotYetError(Exception):
    """The command refuses an option: what it asks for is not there yet."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the command."""

    time_limit_s: float
    profile: str = "placed-only"
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Solved:
    """A plan, and the process that made it."""

    plan: Plan
    finished: Finished

    @property
    def placed(self) -> tuple[PlanTier, ...]:
        """The tiers that count placed pods, highest priority first."""
        return tuple(tier for tier in self.plan.tiers if tier.name.startswith("placed/"))


def save(snapshot: Snapshot, options: Options) -> Path:
    """Write a snapshot where the command can read it."""
    path = options.folder / "snapshot.json"
    path.write_bytes(written(snapshot))
    return path


def solve(path: Path, ask: Ask, options: Options) -> Solved:
    """Solve a snapshot in a process of its own.

    Raises:
        NotYetError: An option is refused.
        RuntimeError: The command failed.
    """
    plan = path.with_name("plan.json")
    finished = run(
        [
            *("batchsched", "solve", str(path), "-o", str(plan), "--quiet"),
            *("--time-limit", str(ask.time_limit_s), "--profile", ask.profile),
            *("--workers", str(options.workers), *ask.flags),
        ]
    )
    if finished.code == BAD_INPUT:
        raise NotYetError(finished.errors.strip())
    if finished.code:
        raise RuntimeError(finished.errors)
    return Solved(read_plan(plan.read_bytes(), str(plan)), finished)


def figures(name: str, solved: Solved) -> Row:
    """A row about a solve.

    ``solve_s`` is the plan's total without loading. ``late_s`` is how far the whole process,
    loading apart, was beyond its limit and what it may be overrun by.
    """
    plan, seconds = solved.plan, solved.plan.solver.seconds
    value = sum(tier.value for tier in solved.placed)
    bound = sum(tier.bound for tier in solved.placed)
    limit_s = plan.solver.time_limit_seconds
    busy_s = solved.finished.seconds - seconds.load
    return {
        "name": name,
        "nodes": plan.snapshot.nodes,
        "pods": plan.snapshot.pending,
        "classes": plan.solver.classes,
        "columns": plan.solver.columns,
        "rows": plan.solver.rows,
        "placed": value,
        "gap_percent": round(100 * (bound - value) / max(bound, 1), 3),
        "proven": plan.status == "Optimal",
        "load_s": seconds.load,
        "compile_s": seconds.compile,
        "greedy_s": seconds.greedy,
        "relax_s": seconds.relax,
        "search_s": seconds.search,
        "verify_s": seconds.verify,
        "solve_s": round(seconds.total - seconds.load, 3),
        "process_s": round(solved.finished.seconds, 2),
        "limit_s": limit_s,
        "late_s": round(max(busy_s - limit_s * (1 + LATE_SHARE) - LATE_S, 0.0), 2),
        "memory_mib": solved.finished.memory_mib,
    }
