"""The answer to which nodes can be drained: their order, step by step, and the proof, as a file.

Like all answers it is strict, camelCase and in order, and says of each pod that leaves where the
next one runs.
"""

from typing import Literal

from batchsched.plan.plan import PlanTier, Unplaced
from batchsched.whatif.answer import Answer, Part
from batchsched.whatif.draining import Drain
from batchsched.whatif.edits import Edited


class ToNode(Part):
    """A pod, and the node it comes to."""

    namespace: str
    name: str
    to: str


class DrainStep(Part):
    """Pods that leave a node at once, or pending ones that are bound (``node`` is null)."""

    node: str | None
    pods: tuple[ToNode, ...]


class Pinned(Part):
    """A pod that keeps its node from being drained."""

    node: str
    namespace: str
    name: str
    why: str


class DrainNodes(Answer):
    """The most nodes that can be empty, and how."""

    kind: Literal["DrainNodes"] = "DrainNodes"
    edits: tuple[str, ...]
    nodes: int
    empty_now: tuple[str, ...]
    """Nothing runs there that would have to leave, by name."""
    drained: tuple[str, ...]
    """In the order of their steps."""
    status: Literal["Optimal", "Feasible"]
    """Optimal: no choice of nodes and no order leaves more of them empty."""
    tiers: tuple[PlanTier, ...]
    steps: tuple[DrainStep, ...]
    pinned: tuple[Pinned, ...]
    pending: int
    placed: int
    unplaced: tuple[Unplaced, ...]
    """Pods that wait, and would without draining."""


def drain_answer(edited: Edited, drain: Drain) -> DrainNodes:
    """Write down what was found."""
    proven = {tier.name: tier for tier in drain.tiers}["drained"]
    placed = (tier for tier in drain.plan.tiers if tier.name.startswith("placed/"))
    steps = tuple(
        DrainStep(
            node=step.node,
            pods=tuple(ToNode(namespace=ns, name=name, to=to) for (ns, name), to in step.to),
        )
        for step in drain.steps
    )
    return DrainNodes(
        edits=edited.said,
        nodes=len(drain.snapshot.nodes),
        empty_now=drain.empty_now,
        drained=drain.drained,
        status=proven.status,
        tiers=(*placed, *drain.tiers),
        steps=steps,
        pinned=tuple(
            Pinned(node=node, namespace=ns, name=name, why=why)
            for node, (ns, name), why in drain.pinned
        ),
        pending=drain.plan.snapshot.pending,
        placed=len(drain.plan.bindings),
        unplaced=tuple(drain.plan.unplaced),
    )
