"""The ladder: backlogs of growing size, each in its time limit, and what rivals make of them.

Claim: the gap of the placed tiers, all together, is at most so much within so many seconds. Nothing
is claimed of coarse pods, whose bounds are loose whatever is tried; the row says how it stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.instances.backlog import backlog
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.rivals import POLICIES, TEXTBOOK, compare
from tests.benchmarks.solved import Ask, figures, save, solve


@dataclass(frozen=True, slots=True)
class Size:
    """One step: a backlog, and the time limits under which it is solved."""

    nodes: int
    pods: int
    time_limits_s: tuple[float, ...]
    classes: int = 60
    coarse: int = 1

    def saved(self, options: Options) -> Path:
        """The backlog as a file."""
        made = backlog(self.nodes, self.pods, self.classes, coarse=self.coarse)
        return save(made, options)

    @property
    def name(self) -> str:
        """As the tables name it."""
        kind = "backlog" if self.coarse == 1 else "coarse backlog"
        return f"{kind} {self.nodes}x{self.pods}"


SIZES = (
    Size(100, 400, (2.0,), classes=20),
    Size(1_000, 4_000, (2.0,)),
    Size(5_000, 20_000, (5.0, 15.0)),
    Size(10_000, 50_000, (30.0,)),
    Size(1_000, 4_000, (10.0,), coarse=3),
)


def ladder(options: Options) -> Iterator[Row]:
    """Each size under each of its time limits."""
    for size in SIZES:
        path = size.saved(options)
        for limit_s in size.time_limits_s:
            name = f"{size.name} in {limit_s:g} s"
            yield figures(name, solve(path, Ask(limit_s), options))


def rivals(options: Options) -> Iterator[Row]:
    """The same sizes by the policies, and by the textbook's model in the same time."""
    for size in SIZES:
        path = size.saved(options)
        limit_s = size.time_limits_s[-1]
        solved = solve(path, Ask(limit_s), options)
        ours = {
            "tiers": [tier.value for tier in solved.placed],
            "placed": sum(tier.value for tier in solved.placed),
            "seconds": solved.plan.solver.seconds.total,
            "memory_mib": solved.finished.memory_mib,
        }
        found = {"batchsched": ours} | {
            name: compare(name, path, limit_s, options) for name in (*POLICIES, TEXTBOOK)
        }
        for name, row in found.items():
            yield {"name": f"{size.name} by {name}"} | row
