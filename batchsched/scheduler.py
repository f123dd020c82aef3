"""The one composition: snapshot and window in, verified plan out.

It decides *where* pods go; ``cycle`` decides *when*.
Six steps, each timed and reported: compile, greedy, relax, search, verify, plan. Reads no clock
but the one it is given, and writes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from batchsched.constraints import Constraint
from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.counting import most_placed
from batchsched.feasibility.explain import GROUP, RESERVED, TOGETHER, explain
from batchsched.feasibility.problem import PodClass, Problem
from batchsched.feasibility.reserved import HeldBack
from batchsched.feasibility.running import leavers
from batchsched.feasibility.shortlist import crowded, shortlisted
from batchsched.feasibility.thinning import thinned
from batchsched.plan.diff import Why, diff
from batchsched.plan.plan import Plan, PlanSeconds, PlanSolver, PlanTier, tier
from batchsched.plan.state import Violation
from batchsched.plan.verify import final_state, verify
from batchsched.profile import Profile, constraints_of, has_plug_ins, objectives_of
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.snapshot import Snapshot, Window
from batchsched.solver.budget import Budget
from batchsched.solver.guide import Guide
from batchsched.solver.model import IntArray, Model
from batchsched.solver.places import Outcome, places_of
from batchsched.solver.solve import Limits, Progress, TierResult, solve
from batchsched.solver.start import find_start, places_everybody

__all__ = ["Limits", "Origin", "PlanDefectError", "Progress", "schedule"]

AFTER_PER_COMPILE, AFTER_PER_COMPILE_PRICED = 8.0, 0.7
"""What comes after the search (reasons, order, verification) takes this many times what compiling
took, on any machine: 7 to 9 measured from 1,000 x 4,000 to 10,000 x 50,000; 0.1 to 0.5 where prices
were made of millions of pairs."""

AFTER_SHARE_MAX = 0.25
"""Of the time limit, the most that is kept for it."""

FIRST_SHARE = 0.1
"""Of the time limit, the most that it may take to see that nobody has to go."""

PRICING_SHARE, PRICING_S = 0.4, 10.0
"""Of the time limit, the most that it may take to price a problem of too many pairs, and fill it;
and by counted work where there is none. Some millions of pairs take 0.5 to 3 s."""

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
    allowance: Allowance = NOTHING,
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
        allowance: What may be done to running pods.
        before: The plan of the window before, of whatever cluster: a place to start from.
        origin: For the plan's record of its input.
        progress: Told of the tier that is worked on and of each that is done, in the numbers
            that the plan has.

    Raises:
        PlanDefectError: The plan does not pass the verifier. Nothing may be bound.
    """
    start_s = clock()
    constraints, objectives = constraints_of(profile), objectives_of(profile)
    whole = has_plug_ins(profile)
    pricing = partial(_share, limits, clock, PRICING_SHARE)
    compiler = Compiler(snapshot, window, allowance, constraints, objectives, whole, pricing)
    model = compiler.model(_share(limits, clock, FIRST_SHARE))
    for objective in objectives:
        model.rank(objective.tiers(model))
    problem = model.problem
    compile_s = clock() - start_s
    targets = None if before is None else targets_of(model, before)
    left = _left(limits, compile_s, priced=model.guide is not None)
    solution = solve(model, left, clock, _in_plain_numbers(model, progress), targets)
    verify_from_s = clock()
    outcome = places_of(model, solution)
    source = origin or Origin()
    reasons = _reasons(problem, outcome)
    state = final_state(snapshot, window, outcome.placements, outcome.evictions, allowance)
    decision = diff(state, window, reasons, sha256=source.sha256)
    scores = {name: value for each in objectives for name, value in each.score(state).items()}
    results = _bounded(model, solution.tiers)
    plan = decision.plan(_tiers(results, scores, outcome), _solver(model, limits))
    violations = verify(plan, snapshot, window, constraints)
    if violations:
        raise PlanDefectError(violations)
    if limits.deterministic:
        return plan
    end_s = clock()
    took = {**solution.seconds, "compile": compile_s, "verify": end_s - verify_from_s}
    total_s = source.load_s + end_s - start_s
    return _timed(plan, {**took, "load": source.load_s, "total": total_s})


@dataclass(frozen=True, eq=False)
class Compiler:
    """From a snapshot to a model with all rules posted."""

    snapshot: Snapshot
    window: Window
    allowance: Allowance
    constraints: Sequence[Constraint]
    objectives: Sequence[object]
    """Asked what they read of nodes, some of which may then be spared."""
    whole: bool
    pricing: Callable[[], Budget] = lambda: Budget(PRICING_S, None)
    """What it may take to price a problem of too many pairs."""

    def model(self, budget: Budget) -> Model:
        """The model to solve: one in which nobody may go, where nobody has to."""
        may_go = leavers(self.snapshot, self.window, self.allowance)
        staying = frozenset(each.pod.key for each in may_go)
        model = self._posted(staying)
        return model if not staying or places_everybody(model, budget) else self.evicting()

    def evicting(self, staying: frozenset[PodKey] = frozenset()) -> Model:
        """The model in which running pods may go, but for some, with its start.

        Who has a part in a rule that is broken as it is, is left alone.
        """
        while True:
            model = self._posted(staying)
            model.start, broken = find_start(model)
            if not len(broken):
                return model
            staying |= _pods_at(model, broken)

    def _posted(self, staying: frozenset[PodKey]) -> Model:
        problem = compile_problem(
            self.snapshot, self.window, self.allowance, staying=staying, whole=self.whole
        )
        problem = thinned(problem, (*self.constraints, *self.objectives))
        short = not self.whole and not self.allowance.draining and crowded(problem)
        model = _short(problem, self.pricing()) if short else Model(problem)
        for constraint in self.constraints:
            constraint.post(model)
        return model


def _short(problem: Problem, budget: Budget) -> Model:
    """A model of a shortlist, made around what prices say of all pairs of class and node."""
    guide = Guide.of(problem, budget)
    wanted = None if guide is None else (guide.fill.classes, guide.fill.nodes)
    model = Model(shortlisted(problem, wanted))
    model.guide = guide
    return model


def _pods_at(model: Model, columns: IntArray) -> frozenset[PodKey]:
    """The running pods that some count columns stand for."""
    problem, counts = model.problem, model.counts
    return frozenset(
        pod.key
        for c, n in zip(counts.classes[columns], counts.nodes[columns], strict=True)
        for pod in problem.classes[c].pods
        if pod.node == problem.nodes[n].name
    )


def targets_of(model: Model, before: Plan) -> npt.NDArray[np.int64]:
    """Pods to counts: [counts] how many of a class an earlier plan placed on a node.

    Only pods and nodes that the model knows count, whatever else has changed since.
    """
    problem, bindings = model.problem, before.bindings
    node_of = {node.name: n for n, node in enumerate(problem.nodes)}
    waiting = ((c, each) for c, each in enumerate(problem.classes) if each.waits)
    class_of = {pod.key: c for c, each in waiting for pod in each.pods}
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


def _share(limits: Limits, clock: Callable[[], float], share: float) -> Budget:
    """A share of the time limit, from now on."""
    return Budget(share * limits.time_limit_s, None if limits.deterministic else clock)


def _left(limits: Limits, compile_s: float, *, priced: bool) -> Limits:
    """What the solve may take, so that the whole keeps to the limit."""
    if limits.deterministic:
        return limits
    per_compile = AFTER_PER_COMPILE_PRICED if priced else AFTER_PER_COMPILE
    after_s = min(per_compile * compile_s, AFTER_SHARE_MAX * limits.time_limit_s)
    left_s = limits.time_limit_s - compile_s - after_s
    return replace(limits, time_limit_s=max(left_s, 0.0))


def _bounded(model: Model, results: Sequence[TierResult]) -> Sequence[TierResult]:
    """The results with bounds that hold for the whole problem.

    What was proven on a shortlist says nothing of the other nodes: then the bound is the one that
    is known without solving on it, by counting or by prices.
    """
    problem, guide = model.problem, model.guide
    if problem.shortlist is None:
        return results
    held: dict[int, int] = {}
    found = []
    for result in results:
        bound, priority = result.tier.highest, result.tier.priority
        assert bound is not None, f"nothing bounds {result.tier.name} but the shortlist"
        if priority is not None:
            priced = None if guide is None else guide.bound_at(priority, held)
            counted = min(bound, most_placed(problem, priority, held))
            bound = counted if priced is None else min(counted, priced)
            held[priority] = result.value
        found.append(replace(result, bound=bound))
    return found


def _tiers(
    results: Sequence[TierResult], scores: Mapping[str, int], outcome: Outcome
) -> list[PlanTier]:
    """The tiers that readers see; one is proven only where its first stages are.

    Where a pod stays that the counts let leave for its like, the model may have counted what that
    one would like there; who stays likes nothing.
    """
    tiers, sure = [], True
    for result in results:
        if result.tier.internal:
            sure = sure and result.optimal
            continue
        highest = result.tier.highest
        proven = result if sure or highest is None else replace(result, bound=highest)
        tiers.append(_tier(proven, scores[result.tier.name], exact=outcome.exact))
        sure = True
    return tiers


def _tier(result: TierResult, score: int, *, exact: bool) -> PlanTier:
    """What people read of a tier: its value as counted in the final state, and the bound."""
    own = result.tier
    value, bound = result.value + own.constant, result.bound + own.constant
    counted = own.sign * score
    if counted < value and exact:
        message = f"tier {own.name} is worth {score}, but the model claims {own.sign * value}"
        raise PlanDefectError([Violation(own.name, "", "", message)])
    return tier(own.name, score, own.sign * max(bound, counted))


def _reasons(problem: Problem, outcome: Outcome) -> dict[PodKey, Why]:
    """Why each pod without a place has none: set aside, or no room in the final state."""
    reasons = {e.pod.key: Why(e.reason, e.message) for e in problem.excluded}
    kept_off = HeldBack(problem.snapshot.reservation)
    held_back = {
        pod.key: _why_together(problem, c, kept_off)
        for c in problem.classes
        if c.waits
        for pod in c.pods
        if pod.key not in outcome.placements
    }
    left = [pod for c in problem.classes for pod in c.pods if pod.key in held_back]
    messages = explain(
        problem.snapshot, outcome.placements, left, held_back, evictions=outcome.evictions
    )
    return reasons | {key: Why(message=message) for key, message in messages.items()}


def _why_together(problem: Problem, pods: PodClass, kept_off: HeldBack) -> str:
    """Why pods are not on nodes that would take one of them."""
    if pods.group is not None and problem.gangs[pods.group].group.min_count:
        return GROUP
    return RESERVED if kept_off(pods.pods[0]) else TOGETHER
