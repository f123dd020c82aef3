"""Verify: a plan against its snapshot, by code that shares nothing with the model.

Every rule is checked over the final state that the plan leads to; and the plan itself is: each
pending pod is in it once, it is about this snapshot, its tiers are worth what it says. Rules and
objectives come in as arguments, because their packages stand above this one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from batchsched.plan.consistency import consistency
from batchsched.plan.plan import Plan
from batchsched.plan.reading import ENDED
from batchsched.plan.state import FinalState, Key, Placed, Violation, among
from batchsched.snapshot.allowance import NOTHING, Allowance
from batchsched.snapshot.node import Node
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window, holding


class Check(Protocol):
    """The checking half of a rule."""

    @property
    def name(self) -> str:
        """The rule's name."""
        ...

    def check(self, state: FinalState) -> Iterator[Violation]:
        """Each way in which the final state breaks the rule."""
        ...


class Score(Protocol):
    """The checking half of an objective."""

    def score(self, state: FinalState) -> Mapping[str, int]:
        """Tier name to value."""
        ...


def verify(
    plan: Plan,
    snapshot: Snapshot,
    window: Window,
    checks: Sequence[Check],
    scores: Sequence[Score] = (),
    *,
    sha256: str | None = None,
) -> tuple[Violation, ...]:
    """Everything that is wrong with a plan; nothing if it is valid.

    Args:
        plan: What to verify.
        snapshot: The cluster that the plan is about.
        window: The pending pods that the plan decides on.
        checks: The rules.
        scores: The objectives, whose values the plan's tiers must state.
        sha256: Of the snapshot's bytes, where the plan must have been made from these very bytes.
    """
    found = list(_bindings(plan, snapshot, window))
    evictions = {(each.namespace, each.name): each.to for each in plan.evictions}
    placements: dict[Key, str] = {}
    for binding in plan.bindings:
        placements.setdefault((binding.namespace, binding.name), binding.node)
    allowance = plan.allowance.meant()
    state = final_state(snapshot, window, placements, evictions, allowance)
    for check in checks:
        found.extend(check.check(state))
    values: dict[str, int] = {}
    for score in scores:
        values.update(score.score(state))
    found.extend(consistency(plan, state, window, values if scores else None))
    if sha256 is not None and plan.snapshot.sha256 not in ("", sha256):
        message = (
            f"made from another snapshot (sha256 {plan.snapshot.sha256}, this one is {sha256})"
        )
        found.append(Violation("plan", "", "", message))
    return tuple(found)


def final_state(
    snapshot: Snapshot,
    window: Window,
    placements: Mapping[Key, str],
    evictions: Mapping[Key, str | None] | None = None,
    allowance: Allowance = NOTHING,
) -> FinalState:
    """The state that placements lead to.

    Args:
        snapshot: The cluster.
        window: The pending pods that are decided on.
        placements: Pod of the window to node; others, and unknown nodes, are left out.
        evictions: Running pod to the node where its replacement comes, or to ``None``.
        allowance: What may be done to running pods.
    """
    moved = evictions or {}
    nodes = {node.name: node for node in snapshot.nodes}
    kept = _staying(snapshot, window, nodes)
    if moved:
        kept = [pod for pod in kept if pod.key not in moved]
    placed = [
        Placed(pod, nodes[placements[pod.key]], new=True)
        for pod in window.pods
        if placements.get(pod.key) in nodes
    ]
    if moved:
        running = (pod for pod in holding(snapshot) if moved.get(pod.key) in nodes)
        placed += [Placed(pod, nodes[moved[pod.key] or ""], new=True) for pod in running]
        placed.sort(key=lambda each: each.pod.key)
    left = tuple(pod for pod in window.pods if placements.get(pod.key) not in nodes)
    return FinalState(
        snapshot, nodes, tuple(kept), tuple(placed), left, frozenset(moved), allowance
    )


def _staying(snapshot: Snapshot, window: Window, nodes: Mapping[str, Node]) -> list[Pod]:
    """The pods that hold a place on a node whatever is decided, in the order of the snapshot.

    Those are pods that are bound and not ended, and pods outside the window that are nominated to a
    node.
    """
    pods = [
        pod
        for pod in snapshot.pods
        if (pod.nominated_node if pod.node is None else pod.node) in nodes
        and pod.phase not in ENDED
    ]
    if [pod for pod in pods if pod.node is None]:
        decided = {pod.key for pod in window.pods}
        pods = [pod for pod in pods if pod.node is not None or pod.key not in decided]
    return pods


def _bindings(plan: Plan, snapshot: Snapshot, window: Window) -> Iterable[Violation]:
    """What is wrong with bindings as such: who, and where to."""
    nodes: dict[str, int] = {}
    for node in snapshot.nodes:
        nodes[node.name] = nodes.get(node.name, 0) + 1
    pods = {pod.key: pod for pod in window.pods}
    strangers = {(each.namespace, each.name) for each in plan.bindings} - pods.keys()
    known = among(snapshot.pods, strangers) if strangers else {}
    seen: set[Key] = set()
    for binding in plan.bindings:
        key, full_name = (binding.namespace, binding.name), f"{binding.namespace}/{binding.name}"
        problem = None
        if key not in pods:
            what = "is not pending" if key in known else "is not in the snapshot"
            problem = f"the pod {what}"
        elif binding.uid != pods[key].uid:
            problem = f"the pod has uid {pods[key].uid!r}, not {binding.uid!r}"
        elif key in seen:
            problem = "the pod is bound twice"
        elif binding.node not in nodes:
            problem = "the snapshot holds no such node"
        elif nodes[binding.node] > 1:
            problem = "the snapshot holds several nodes of this name"
        seen.add(key)
        if problem is not None:
            yield Violation("assignment", full_name, binding.node, problem)
