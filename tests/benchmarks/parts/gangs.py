"""Gangs: with required domains, and such as fit by construction or not at all.

Claims: 200 gangs on 1,000 nodes in 64 racks within 1 % of the bound in 10 s, where they ask for
90 % of the cluster; gangs with a hidden placement all placed in 10 s; one that fits nowhere shown
to be so, and nobody else left out for it.
"""

from collections.abc import Iterator

from tests.benchmarks.instances.gangs_by_domain import gangs_by_domain
from tests.benchmarks.instances.hidden_gangs import IMPOSSIBLE, hidden_gangs
from tests.benchmarks.parts import Options, Row
from tests.benchmarks.solved import Ask, figures, save, solve

TIME_LIMIT_S = 10.0
NODES, RACKS, GANGS = 1_000, 64, 200
LOADS = {"asking for 90%": (0.5, 0.9), "on 90% load": (0.9, 1.0), "asking for 110%": (0.5, 1.1)}
"""What share of the cluster is taken, and would be if all gangs found a place."""
HIDDEN = {20: 0.1, 100: 0.1, 300: 0.1, 1_000: 0.25}
"""Nodes, and what share of the cores the hidden placement leaves."""
PLANTED_NODES = 100


def gangs(options: Options) -> Iterator[Row]:
    """By domain, hidden, planted."""
    for name, (running, asked) in LOADS.items():
        snapshot = gangs_by_domain(NODES, RACKS, GANGS, running=running, asked=asked)
        solved = solve(save(snapshot, options), Ask(TIME_LIMIT_S), options)
        yield figures(f"{GANGS} gangs by domain {name}", solved)
    for nodes, left in HIDDEN.items():
        snapshot = hidden_gangs(nodes, left=left)
        solved = solve(save(snapshot, options), Ask(TIME_LIMIT_S), options)
        row = figures(f"hidden gangs on {nodes}", solved)
        yield row | {"left": row["pods"] - row["placed"]}
    for planted in IMPOSSIBLE:
        snapshot = hidden_gangs(PLANTED_NODES, planted=planted)
        solved = solve(save(snapshot, options), Ask(TIME_LIMIT_S), options)
        row = figures(f"planted on {PLANTED_NODES}, {planted}", solved)
        yield row | {"unplaced_gangs": sum(g.status != "Placed" for g in solved.plan.pod_groups)}
