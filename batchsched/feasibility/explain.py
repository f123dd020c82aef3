"""Explain: why a pod was left, in the words in which kube-scheduler says it.

The state to explain is the final one: everyone who holds a place, and everyone the plan places.
Autoscalers and people read these messages, so their form is kube-scheduler's to the letter.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from batchsched.feasibility.classes import pod_classes
from batchsched.feasibility.compile import fixed_pods, without
from batchsched.feasibility.filters import first_reasons, prefilter
from batchsched.feasibility.scene import Reasons, make_scene
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.snapshot import Snapshot, Window

PodKey = tuple[str, str]


TOGETHER = "node(s) were ruled out together with other pods"
"""Of nodes that would take the pod alone, but with it break what other pods may ask for."""
GROUP = "node(s) had no room for the whole PodGroup"
RESERVED = "node(s) kept their room for pods that have waited longer"


def unschedulable_message(
    nodes: int, reasons: Iterable[tuple[Reasons, int]], held_back: str | None = None
) -> str:
    """Say why in the scheduler's words.

    As in ``0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated taint(s).``

    Args:
        nodes: How many nodes there are.
        reasons: The reasons of nodes, each with the number of nodes that gave them; empty reasons
            stand for nodes that would take the pod.
        held_back: Why the pod is not on a node that would take it; without it, such nodes are
            available.
    """
    counts: Counter[str] = Counter()
    available = 0
    for each, number in reasons:
        if not number:
            continue
        available += 0 if each or held_back else number
        for reason in each or ((held_back,) if held_back else ()):
            counts[reason] += number
    parts = sorted(f"{number} {reason}" for reason, number in counts.items())
    head = f"{available}/{nodes} nodes are available"
    return f"{head}: {', '.join(parts)}." if parts else f"{head}."


def explain(
    snapshot: Snapshot,
    placements: Mapping[PodKey, str],
    pods: Sequence[Pod],
    held_back: Mapping[PodKey, str] | None = None,
    *,
    evictions: Mapping[PodKey, str | None] | None = None,
) -> dict[PodKey, str]:
    """Say why pods that a plan leaves have no place in its final state.

    Args:
        snapshot: The cluster.
        placements: Where the plan puts pods: key to node name.
        pods: The pods to speak of.
        held_back: Why a pod is not on a node that would take it, for each pod.
        evictions: Running pods that leave, and where each comes back, if it does.

    Returns:
        One message for each of ``pods``.
    """
    if not pods:
        return {}
    asked = tuple(sorted(pods, key=lambda pod: pod.key))
    placed = tuple(pod for pod in snapshot.pods if pod.key in placements)
    leaving = evictions or {}
    back = tuple(pod for pod in snapshot.pods if leaving.get(pod.key)) if leaving else ()
    fixed, places = without(*fixed_pods(snapshot, Window((*asked, *placed))), leaving)
    classes = pod_classes(snapshot, asked, {})
    places += [placements[pod.key] for pod in placed] + [leaving[pod.key] for pod in back]
    scene = make_scene(snapshot, classes, (*fixed, *placed, *back), places)
    codes, reasons = first_reasons(scene)
    messages: dict[PodKey, str] = {}
    for pods_of, codes_of in zip(scene.classes, codes, strict=True):
        early = prefilter(scene, pods_of.pods[0])
        numbers = np.bincount(codes_of, minlength=len(reasons)).tolist()
        given = list(zip(reasons, numbers, strict=True))
        said: dict[str | None, str] = {}
        for pod in pods_of.pods:
            why = (held_back or {}).get(pod.key)
            if why not in said and early:
                said[why] = f"0/{len(scene.nodes)} nodes are available: {'; '.join(early)}."
            elif why not in said:
                said[why] = unschedulable_message(len(scene.nodes), given, why)
            messages[pod.key] = said[why]
    return messages
