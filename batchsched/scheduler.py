"""The one composition: snapshot and window in, verified plan out.

It decides *where* pods go; ``cycle`` decides *when*.
Six steps, each timed and reported: compile, greedy, relax, search, verify, plan. Reads no clock
but the one it is given, and writes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchsched.constraints import Constraint
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.counting import most_placed
from batchsched.feasibility.explain import GROUP, TOGETHER, explain
from batchsched.feasibility.problem import Problem
from batchsched.feasibility.shortlist import shortlisted
from batchsched.feasibility.thinning import thinned
from batchsched.objectives import Objective
from batchsched.objectives.placed import tier_name
from batchsched.plan.diff import Why, diff
from batchsched.plan.plan import Plan, PlanSeconds, PlanSolver, PlanTier, tier
from batchsched.plan.state import Violation
from batchsched.plan.verify import final_state, verify
from batchsched.profile import Profile, constraints_of, has_plug_ins, objectives_of
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.solver.model import Model
from batchsched.solver.solve import Limits, Progress, Solution, TierResult, solve

__all__ = ["Limits", "Origin", "PlanDefectError", "Progress", "schedule"]

AFTER_PER_COMPILE = 8.0
"""What comes after the search (reasons, order, verification) takes this many times what compiling
took, on any machine: 7 to 9 measured from 1,000 x 4,000 to 10,000 x 50,000."""

AFTER_SHARE_MAX = 0.25
"""Of the time limit, the most that is kept for it."""

PodKey = tuple[str, str]


class PlanDefectError(AssertionError):
    """A plan of ours that breaks a rule: a defect, which stops the plan from being used.

    Attributes:
        violations: What the independent verifier found.
    """

    def __init__(self, violations: Sequence[Violation]) -> None:
        """Show the first few."""
        self.violations = tuple(violations)
        lines = "; ".join(f"{v.rule}: {v.pod} on {v.node}: {v.message}" for v in violations[:5])
        super().__init__(f"the plan breaks {len(self.violations)} rule(s): {lines}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a snapshot came from: the hash of its bytes, and how long reading them took."""

    sha256: str = ""
    load_s: float = 0.0


def schedule(  # noqa: PLR0913 -- the composition takes what there is to compose
    snapshot: Snapshot,
    window: Window,
    profile: Profile,
    limits: Limits,
    clock: Callable[[], float],
    *,
    before: Plan | None = None,
    origin: Origin | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Decide for all pods of the window at once.

    Args:
        snapshot: The cluster.
        window: The pending pods to decide on.
        profile: Rules and tiers.
        limits: Time limit (from here to the return), workers, seed, determinism.
        clock: Monotonic seconds.
        before: The plan of the window before, of whatever cluster: a place to start from.
        origin: For the plan's record of its input.
        progress: Told of each tier as it is done, value and bound as the plan has them.

    Raises:
        PlanDefectError: The plan does not pass the verifier. Nothing may be bound.
    """
    start_s = clock()
    constraints, objectives = constraints_of(profile), objectives_of(profile)
    problem = compile_problem(snapshot, window, whole=has_plug_ins(profile))
    problem = thinned(problem, (*constraints, *objectives))
    problem = problem if has_plug_ins(profile) else shortlisted(problem)
    model = compile_model(problem, constraints, objectives)
    compile_s = clock() - start_s
    targets = None if before is None else targets_of(model, before)
    left = _left(limits, compile_s)
    solution = solve(model, left, clock, _in_plain_numbers(model, progress), targets)
    verify_from_s = clock()
    placements = placements_of(model, solution)
    source = origin or Origin()
    reasons = _reasons(problem, placements)
    state = final_state(snapshot, window, placements)
    decision = diff(state, window, reasons, sha256=source.sha256)
    scores = {name: value for each in objectives for name, value in each.score(state).items()}
    plan = decision.plan(
        [_tier(result, scores[result.tier.name]) for result in _bounded(problem, solution.tiers)],
        _solver(model, limits),
    )
    violations = verify(plan, snapshot, window, constraints)
    if violations:
        raise PlanDefectError(violations)
    if limits.deterministic:
        return plan
    end_s = clock()
    took = {**solution.seconds, "compile": compile_s, "verify": end_s - verify_from_s}
    total_s = source.load_s + end_s - start_s
    return _timed(plan, {**took, "load": source.load_s, "total": total_s})


def compile_model(
    problem: Problem, constraints: Sequence[Constraint], objectives: Sequence[Objective]
) -> Model:
    """Post every rule, then rank the objectives' tiers in order."""
    model = Model(problem)
    for constraint in constraints:
        constraint.post(model)
    for objective in objectives:
        model.rank(objective.tiers(model))
    return model


def placements_of(model: Model, solution: Solution) -> dict[PodKey, str]:
    """Counts to pods: of each class the oldest are placed, on nodes in order.

    The pods of a class are interchangeable for every rule; age breaks the tie because people expect
    it to.
    """
    problem, counts = model.problem, model.counts
    amounts = solution.x[: len(counts)]
    used = np.flatnonzero(amounts)
    nodes_of: dict[int, list[str]] = {}
    for c, n, amount in zip(counts.classes[used], counts.nodes[used], amounts[used], strict=True):
        nodes_of.setdefault(int(c), []).extend([problem.nodes[n].name] * int(amount))
    placements = {}
    for c, names in nodes_of.items():
        pods = sorted(problem.classes[c].pods, key=lambda pod: (pod.created, pod.key))
        placements.update({pod.key: name for pod, name in zip(pods, names, strict=False)})
    return placements


def targets_of(model: Model, before: Plan) -> npt.NDArray[np.int64]:
    """Pods to counts: [counts] how many of a class an earlier plan placed on a node.

    Only pods and nodes that the model knows count, whatever else has changed since.
    """
    problem, bindings = model.problem, before.bindings
    node_of = {node.name: n for n, node in enumerate(problem.nodes)}
    class_of = {pod.key: c for c, each in enumerate(problem.classes) for pod in each.pods}
    known = [(class_of.get((b.namespace, b.name)), node_of.get(b.node)) for b in bindings]
    pairs = [(c, n) for c, n in known if c is not None and n is not None]
    targets = np.zeros(len(model.counts), dtype=np.int64)
    if pairs:
        columns = model.column[tuple(np.array(pairs).T)]
        np.add.at(targets, columns[columns >= 0], 1)
    return targets


def _in_plain_numbers(model: Model, progress: Progress | None) -> Progress | None:
    """Tell of tiers as people read them: what should be small is not a negative number."""
    if progress is None:
        return None
    tiers = {stage.tier.name: stage.tier for stage in model.stages}

    def tell(phase: str, name: str, value: int, bound: int) -> None:
        own = tiers[name]
        progress(phase, name, *(own.sign * (each + own.constant) for each in (value, bound)))

    return tell


def _solver(model: Model, limits: Limits) -> PlanSolver:
    """What was solved, and with what."""
    return PlanSolver(
        classes=len(model.problem.classes),
        columns=model.columns,
        rows=model.rows,
        workers=limits.workers,
        seed=limits.seed,
        time_limit_seconds=limits.time_limit_s,
    )


def _timed(plan: Plan, seconds: Mapping[str, float]) -> Plan:
    """The plan with its timings; a deterministic one has none, so bytes can be compared."""
    rounded = PlanSeconds(**{phase: round(took_s, 3) for phase, took_s in seconds.items()})
    return plan.model_copy(update={"solver": plan.solver.model_copy(update={"seconds": rounded})})


def _left(limits: Limits, compile_s: float) -> Limits:
    """What the solve may take, so that the whole keeps to the limit."""
    if limits.deterministic:
        return limits
    after_s = min(AFTER_PER_COMPILE * compile_s, AFTER_SHARE_MAX * limits.time_limit_s)
    left_s = limits.time_limit_s - compile_s - after_s
    return replace(limits, time_limit_s=max(left_s, 0.0))


def _bounded(problem: Problem, results: Sequence[TierResult]) -> Sequence[TierResult]:
    """The results with bounds that hold for the whole problem.

    What was proven on a shortlist says nothing of the other nodes: then the bound is the one that
    is known without solving.
    """
    if problem.shortlist is None:
        return results
    priority_of = {tier_name(c.priority): c.priority for c in problem.classes}
    held: dict[int, int] = {}
    found = []
    for result in results:
        bound = result.tier.highest
        assert bound is not None, f"nothing bounds {result.tier.name} but the shortlist"
        priority = priority_of.get(result.tier.name)
        if priority is not None:
            bound = min(bound, most_placed(problem, priority, held))
            held[priority] = result.value
        found.append(replace(result, bound=bound))
    return found


def _tier(result: TierResult, score: int) -> PlanTier:
    """What people read of a tier: its value as counted in the final state, and the bound."""
    own = result.tier
    value, bound = result.value + own.constant, result.bound + own.constant
    counted = own.sign * score
    if counted < value:
        message = f"tier {own.name} is worth {score}, but the model claims {own.sign * value}"
        raise PlanDefectError([Violation(own.name, "", "", message)])
    return tier(own.name, score, own.sign * max(bound, counted))


def _reasons(problem: Problem, placements: Mapping[PodKey, str]) -> dict[PodKey, Why]:
    """Why each pod without a place has none: set aside, or no room in the final state."""
    reasons = {e.pod.key: Why(e.reason, e.message) for e in problem.excluded}
    held_back = {
        pod.key: GROUP
        if c.group is not None and problem.gangs[c.group].group.min_count
        else TOGETHER
        for c in problem.classes
        for pod in c.pods
        if pod.key not in placements
    }
    left = [pod for c in problem.classes for pod in c.pods if pod.key in held_back]
    messages = explain(problem.snapshot, placements, left, held_back)
    return reasons | {key: Why(message=message) for key, message in messages.items()}
