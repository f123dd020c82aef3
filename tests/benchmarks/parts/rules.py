"""Rules at scale: 5,000 pods that all have one rule, on 5,000 nodes.

Claim: each verified within 10 s, and at least 500 pods decided per second.
"""

from collections.abc import Iterator

from tests.benchmarks.instances.rules_at_scale import NAMES, rule_at_scale
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.solved import Ask, figures, save, solve

NODES, PODS, TIME_LIMIT_S = 5_000, 5_000, 10.0


def rules(options: Options) -> Iterator[Row]:
    """Every rule."""
    for rule in NAMES:
        path = save(rule_at_scale(rule, NODES, PODS), options)
        row = figures(rule, solve(path, Ask(TIME_LIMIT_S), options))
        yield row | {"pods_per_s": round(row["pods"] / row["solve_s"])}
