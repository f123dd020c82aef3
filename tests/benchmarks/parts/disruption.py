"""Disruption: what it costs running pods to place all that can be placed, on small instances.

Claim: where both are proven optimal and place as many, no more pods are made to leave their nodes
than by the model of Priority Matters, and it never places more. That model settles each priority
before it looks at the next, so it may place fewer; how often is counted. And it may evict a pod for
one of equal priority, which this project never does: plans of it with evictions are set aside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from batchsched.snapshot.snapshot import Snapshot
from tests.benchmarks.instances.priority_matters import Cell, instances
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.parts.priority_matters import MOVES
from tests.benchmarks.rivals import PUBLISHED, compare
from tests.benchmarks.solved import Ask, NotYetError, save, solve

CELLS = tuple(
    Cell(nodes, pods, usage, priorities)
    for priorities in (1, 2, 4)
    for nodes, pods, usage in ((4, 16, 0.95), (4, 16, 1.05), (8, 32, 0.95))
)
TIME_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One instance, by both: pods in place by priority, and running pods that had to leave."""

    placed: tuple[int, ...]
    disturbed: int
    published_placed: tuple[int, ...]
    published_disturbed: int
    comparable: bool
    """Whether both are proven, and the published plan could be ours."""

    @property
    def as_many(self) -> bool:
        """Whether the disturbed can be compared."""
        return self.comparable and self.placed == self.published_placed


def disruption(options: Options) -> Iterator[Row]:
    """A row for each cell."""
    for cell in CELLS:
        found = instances(cell, options.instances)
        try:
            pairs = [_pair(snapshot, options) for _, snapshot in found]
        except NotYetError as error:
            yield {"name": f"moves are not there yet: {error}"}
            return
        yield summary(f"disruption {cell.name}, {cell.priorities} priorities", pairs)


def summary(name: str, pairs: list[Pair]) -> Row:
    """What a cell comes to."""
    both = [pair for pair in pairs if pair.as_many]
    return {
        "name": name,
        "instances": len(pairs),
        "comparable": sum(pair.comparable for pair in pairs),
        "as_many": len(both),
        "disturbed_mean": _mean([pair.disturbed for pair in both]),
        "published_mean": _mean([pair.published_disturbed for pair in both]),
        "more_disturbed": sum(pair.disturbed > pair.published_disturbed for pair in both),
        "placed_more": sum(p.comparable and p.placed > p.published_placed for p in pairs),
        "placed_less": sum(p.comparable and p.placed < p.published_placed for p in pairs),
    }


def _mean(values: list[int]) -> float:
    return round(fmean(values), 2) if values else 0.0


def _pair(snapshot: Snapshot, options: Options) -> Pair:
    path = save(snapshot, options)
    solved = solve(path, Ask(TIME_LIMIT_S, flags=MOVES), options)
    other = compare(PUBLISHED, path, TIME_LIMIT_S, options)
    return Pair(
        placed=tuple(tier.value for tier in solved.placed),
        disturbed=len(solved.plan.evictions),
        published_placed=tuple(other["tiers"]),
        published_disturbed=other["disturbed"],
        comparable=solved.plan.status == "Optimal" and other["proven"] and not other["evicted"],
    )
