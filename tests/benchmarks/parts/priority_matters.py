"""The Priority Matters grid: pods run badly placed, and every one of them may be moved.

Claim, at a usage of 0.95 and 10 s: the placed tiers are proven in all instances of 32 x 128 and
32 x 256, and in 90 % of 64 x 512. At 1.05: 80 % of the distance between start and bound is closed.
In 1 s: never below the start, and better in 90 % of the instances that can be better.

Below, above and better are lexicographic over the placed tiers. An instance can be better if its
start is not proven optimal. The distance is counted in pods, over all tiers of all instances.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from batchsched.snapshot.snapshot import Snapshot, holding
from tests.benchmarks.instances.priority_matters import Cell, instances
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.rivals import PUBLISHED, compare
from tests.benchmarks.solved import Ask, NotYetError, figures, save, solve

CELLS = tuple(
    Cell(nodes, pods, usage)
    for usage in (0.95, 1.05)
    for nodes, pods in ((32, 128), (32, 256), (64, 512))
)
TIME_LIMITS_S = (10.0, 1.0)
MOVES = ("--preemption", "lower-priority", "--moves", "unlimited")


@dataclass(frozen=True, slots=True)
class Tried:
    """One instance: pods in place by priority, highest first, before and after."""

    start: tuple[int, ...]
    value: tuple[int, ...]
    bound: tuple[int, ...]
    seconds: float = 0.0
    late_s: float = 0.0
    moved: int = 0

    @property
    def proven(self) -> bool:
        """Whether no plan has more pods in place."""
        return self.value == self.bound

    @property
    def can_be_better(self) -> bool:
        """Whether the start is not known to be the best there is."""
        return self.start < self.bound


def priority_matters(options: Options) -> Iterator[Row]:
    """A row for each cell and time limit."""
    for limit_s in TIME_LIMITS_S:
        for cell in CELLS:
            found = list(instances(cell, options.instances))
            try:
                tried = [_ours(snapshot, limit_s, options) for _, snapshot in found]
            except NotYetError as error:
                yield {"name": f"moves are not there yet: {error}"}
                return
            yield summary(f"{cell.name} in {limit_s:g} s", tried)


def published_model(options: Options) -> Iterator[Row]:
    """The same by the model of the paper: a boolean per pod and node, few disturbed."""
    for limit_s in TIME_LIMITS_S:
        for cell in CELLS:
            found = instances(cell, options.instances)
            tried = [_published(snapshot, limit_s, options) for _, snapshot in found]
            yield summary(f"{cell.name} in {limit_s:g} s by {PUBLISHED}", tried)


def summary(name: str, tried: Sequence[Tried]) -> Row:
    """What a cell comes to."""
    improvable = [each for each in tried if each.can_be_better]
    distance = sum(sum(each.bound) - sum(each.start) for each in improvable)
    closed = sum(sum(each.value) - sum(each.start) for each in improvable)
    return {
        "name": name,
        "instances": len(tried),
        "proven_percent": _percent(sum(each.proven for each in tried), len(tried)),
        "below_start": sum(each.value < each.start for each in tried),
        "can_be_better": len(improvable),
        "better_percent": _percent(
            sum(each.value > each.start for each in improvable), len(improvable)
        ),
        "closed_percent": _percent(closed, distance),
        "moved_mean": round(fmean(each.moved for each in tried), 1),
        "solve_s_mean": round(fmean(each.seconds for each in tried), 2),
        "late_s": max(each.late_s for each in tried),
    }


def _percent(part: int, whole: int) -> float:
    """All of nothing is all."""
    return round(100 * part / whole, 1) if whole else 100.0


def _ours(snapshot: Snapshot, limit_s: float, options: Options) -> Tried:
    solved = solve(save(snapshot, options), Ask(limit_s, flags=MOVES), options)
    row = figures("", solved)
    return Tried(
        start=_start(snapshot),
        value=tuple(tier.value for tier in solved.placed),
        bound=tuple(tier.bound for tier in solved.placed),
        seconds=row["solve_s"],
        late_s=row["late_s"],
        moved=len(solved.plan.evictions),
    )


def _published(snapshot: Snapshot, limit_s: float, options: Options) -> Tried:
    row = compare(PUBLISHED, save(snapshot, options), limit_s, options)
    asked = _count(snapshot, {pod.key for pod in snapshot.pods})
    value = tuple(row["tiers"])
    # It tells a bound only where it is met; else all that can be said is "all pods".
    bound = value if row["proven"] else asked
    return Tried(_start(snapshot), value, bound, seconds=row["seconds"], moved=row["disturbed"])


def _start(snapshot: Snapshot) -> tuple[int, ...]:
    return _count(snapshot, {pod.key for pod in holding(snapshot)})


def _count(snapshot: Snapshot, keys: set[tuple[str, str]]) -> tuple[int, ...]:
    """How many of these pods there are of each priority, highest first."""
    priorities = sorted({pod.spec.priority for pod in snapshot.pods}, reverse=True)
    chosen = [pod.spec.priority for pod in snapshot.pods if pod.key in keys]
    return tuple(chosen.count(priority) for priority in priorities)
