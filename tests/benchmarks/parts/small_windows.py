"""Small windows on large clusters: a few new pods, very many that run.

Claim: proven optimal, and the solve (without loading) takes under 0.1 s at 1,000 nodes and under
1 s at 10,000. Once with the placed tiers alone, and once with all that a plan has by default.
"""

from collections.abc import Iterator

from tests.benchmarks.instances.small_windows import small_window
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.solved import Ask, figures, save, solve

NODES = (100, 1_000, 5_000, 10_000)
PODS = (10, 50)
LOADS = (0.0, 0.5, 0.8)
PROFILES = ("placed-only", "default")
TIME_LIMIT_S = 10.0


def small_windows(options: Options) -> Iterator[Row]:
    """Every combination."""
    for nodes in NODES:
        for pods in PODS:
            for load in LOADS:
                path = save(small_window(nodes, pods, load), options)
                for profile in PROFILES:
                    name = f"window {pods} on {nodes} at {load:.0%}, {profile}"
                    yield figures(name, solve(path, Ask(TIME_LIMIT_S, profile), options))
