"""Growth: how long until the gap is at most one percent, over nodes times classes.

Claim: near linear. Each size is solved under doubled limits until one is enough, so that the figure
does not depend on how the solver divides its time.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.instances.backlog import backlog
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.solved import Ask, figures, save, solve

SIZES = tuple(
    (nodes, classes) for nodes in (300, 1_000, 3_000, 10_000) for classes in (20, 60, 180)
)
PODS_PER_NODE = 4
GAP_PERCENT_MAX = 1.0
LIMITS_S = tuple(0.25 * 2**k for k in range(9))


def growth(options: Options) -> Iterator[Row]:
    """Every size."""
    for nodes, classes in SIZES:
        path = save(backlog(nodes, PODS_PER_NODE * nodes, classes), options)
        row = _doubled(f"{nodes} nodes x {classes} classes", path, options)
        yield row | {"nodes_x_classes": nodes * classes}


def _doubled(name: str, path: Path, options: Options) -> Row:
    """The first row that is good enough; the last where none is."""
    row: Row = {}
    for limit_s in LIMITS_S:
        row = figures(name, solve(path, Ask(limit_s), options))
        if row["gap_percent"] <= GAP_PERCENT_MAX:
            break
    return row
