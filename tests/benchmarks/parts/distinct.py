"""Nearly distinct pods: as many classes as pods, and millions of cells.

Claim: a plan with a bound within the time limit, in less than 4 GiB.
"""

from collections.abc import Iterator

from tests.benchmarks.instances.distinct import distinct
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.rivals import POLICIES, TEXTBOOK, compare
from tests.benchmarks.solved import Ask, figures, save, solve

SIZES = ((1_000, 5_000), (5_000, 2_000))
TIME_LIMIT_S = 15.0


def distinct_pods(options: Options) -> Iterator[Row]:
    """Many pods on some nodes, and some pods on many nodes."""
    for nodes, pods in SIZES:
        path = save(distinct(nodes, pods), options)
        row = figures(f"distinct {nodes}x{pods}", solve(path, Ask(TIME_LIMIT_S), options))
        others = {
            f"placed_by_{name.replace('-', '_')}": compare(name, path, TIME_LIMIT_S, options)
            for name in (*POLICIES, TEXTBOOK)
        }
        yield row | {name: other["placed"] for name, other in others.items()}
