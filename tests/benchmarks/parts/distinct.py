"""Nearly distinct pods: as many classes as pods, and millions of cells.

Claim: a gap of at most 1 % within the time limit, in less than 4 GiB, contended or not.
"""

from collections.abc import Iterator

from tests.benchmarks.instances.distinct import distinct
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.rivals import POLICIES, TEXTBOOK, compare
from tests.benchmarks.solved import Ask, figures, save, solve

SIZES = ((1_000, 5_000, 0.7), (1_000, 5_000, 0.9), (5_000, 2_000, 0.7))
"""Nodes, pods, and how far nodes are loaded; at 0.9 the last priority runs out of cores too."""
TIME_LIMIT_S = 10.0


def distinct_pods(options: Options) -> Iterator[Row]:
    """Many pods on some nodes, and some pods on many nodes."""
    for nodes, pods, load in SIZES:
        path = save(distinct(nodes, pods, load=load), options)
        name = f"distinct {nodes}x{pods} at {load:.0%}"
        row = figures(name, solve(path, Ask(TIME_LIMIT_S), options))
        others = {
            f"placed_by_{name.replace('-', '_')}": compare(name, path, TIME_LIMIT_S, options)
            for name in (*POLICIES, TEXTBOOK)
        }
        yield row | {name: other["placed"] for name, other in others.items()}
