"""Never worse: random instances of every kind under random time limits, looking for an exception.

Claim: a plan is never worse than the solver's own greedy, however short the limit; no plan of
anybody is better than a bound; and every plan is verified. Better and worse are lexicographic over
the placed tiers. How often a policy did better is counted too; there, nothing is claimed. Of a
policy only plans that the verifier accepts count: it places pod by pod by the filters, and not all
that passes them one by one holds in the final state.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from batchsched.constraints import default_constraints
from batchsched.feasibility.compile import compile_problem
from batchsched.plan.verify import verify
from batchsched.profile import named_profiles
from batchsched.scheduler import Limits, schedule
from batchsched.sim.policies import SCORES, greedy
from batchsched.snapshot.snapshot import Snapshot, Window, pending
from batchsched.solver.budget import Budget
from batchsched.solver.greedy import Greedy
from batchsched.solver.incumbent import Incumbent
from batchsched.solver.model import Model
from tests.benchmarks.instances.random_mix import random_instance, time_limit_s
from tests.benchmarks.parts import Options, Row

PER_INSTANCE = 25
"""How many of these there are to one of the instances that options ask for: 2,000 to 80."""
OWN, POLICIES = "own greedy", tuple(SCORES)
Values = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One instance: what the plan says, what others reached, or what went wrong."""

    seed: int
    value: Values = ()
    bound: Values = ()
    others: dict[str, Values | None] = field(default_factory=dict)
    """What others reached by a valid plan."""
    failure: str = ""

    def worse_than(self, name: str) -> bool:
        """Whether somebody placed more."""
        other = self.others.get(name)
        return other is not None and other > self.value

    def above_bound(self, name: str) -> bool:
        """Whether somebody refutes a bound, which holds where the tiers above are as the plan's."""
        others = self.others.get(name) or ()
        for value, bound, other in zip(self.value, self.bound, others, strict=False):
            if other != value:
                return other > bound
        return False


def never_worse(options: Options) -> Iterator[Row]:
    """One row: how often anything went wrong, and the seeds."""
    seeds = range(options.instances * PER_INSTANCE)
    # Forked children would inherit threads of CP-SAT.
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        yield summary(list(pool.map(compare, seeds, chunksize=1)))


def compare(seed: int) -> Compared:
    """Solve an instance in its time limit, and let the others have a try."""
    snapshot = random_instance(seed)
    window, profile = pending(snapshot), named_profiles()["placed-only"]
    limits = Limits(time_limit_s=time_limit_s(seed), seed=seed)
    try:
        plan = schedule(snapshot, window, profile, limits, time.monotonic)
        others: dict[str, Values | None] = {OWN: _by_greedy(snapshot, window)}
        others |= {name: _by_policy(name, snapshot, window) for name in POLICIES}
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is what this looks for
        return Compared(seed, failure=f"{type(error).__name__}: {error}")
    tiers = [tier for tier in plan.tiers if tier.name.startswith("placed/")]
    return Compared(seed, tuple(t.value for t in tiers), tuple(t.bound for t in tiers), others)


def summary(compared: Sequence[Compared]) -> Row:
    """Count what must not happen; name the seeds with which it did."""
    own = [each.seed for each in compared if each.worse_than(OWN)]
    names = (OWN, *POLICIES)
    above = [each.seed for each in compared if any(each.above_bound(name) for name in names)]
    failed = [each.seed for each in compared if each.failure]
    policies = {
        f"worse_than_{name.replace('-', '_')}": sum(each.worse_than(name) for each in compared)
        for name in POLICIES
    }
    return {
        "name": "never worse",
        "instances": len(compared),
        "proven": sum(each.value == each.bound and not each.failure for each in compared),
        "worse_than_own_greedy": len(own),
        "above_bound": len(above),
        "failed": len(failed),
        **policies,
        "seeds": " ".join(map(str, sorted({*own, *above, *failed}))),
        "failures": "; ".join(sorted({each.failure for each in compared if each.failure})),
    }


def _by_policy(name: str, snapshot: Snapshot, window: Window) -> Values | None:
    plan = greedy(name)(snapshot, window)
    if verify(plan, snapshot, window, default_constraints()):
        return None
    return tuple(tier.value for tier in plan.tiers)


def _by_greedy(snapshot: Snapshot, window: Window) -> Values:
    """The greedy with which every solve begins, with all the time that it wants."""
    problem = compile_problem(snapshot, window)
    model = Model(problem)
    for constraint in default_constraints():
        constraint.post(model)
    point = Incumbent(model.freeze())
    counts = Greedy(model, point, Budget(3600.0, time.monotonic)).complete().x
    placed: dict[int, int] = {pod.spec.priority: 0 for pod in window.pods}
    for c, amount in zip(model.counts.classes, counts[: len(model.counts)], strict=True):
        placed[problem.classes[c].priority] += int(amount)
    return tuple(placed[priority] for priority in sorted(placed, reverse=True))
