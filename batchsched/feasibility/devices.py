"""DynamicResources: allocated claims for devices are honoured, none is allocated here.

Allocating means evaluating CEL over devices and counting shared capacity: out of scope. A pod that
needs it is left unplaced, and told so.
"""

from batchsched.feasibility.scene import Reasons, Scene, Verdict, refusal, stacked
from batchsched.snapshot.labels import NodeSelectorTerm
from batchsched.snapshot.pod import Pod
from batchsched.snapshot.storage import ResourceClaim

NOT_ON_NODE = "resourceclaim not available on the node"
UNSUPPORTED = "UnsupportedConstraint: resourceClaims"


def claim_names(pod: Pod) -> list[tuple[str, str | None, bool]]:
    """(name in the pod, ResourceClaim or ``None``, known) of each; unknown ones were not made yet.

    A claim that was deliberately not made has no name and is known.
    """
    made = dict(pod.claim_names)
    return [
        (name, direct, True) if direct is not None else (name, made.get(name), name in made)
        for name, direct, _ in pod.spec.resource_claims
    ]


def unready_device_claim(scene: Scene, pod: Pod) -> Reasons:
    """DynamicResources' PreFilter: the claims exist, are alive and, for us, are allocated."""
    claims, unallocated = _index(scene), []
    shared = {ref for ref, name, _ in pod.spec.resource_claims if name is not None}
    for ref, name, known in claim_names(pod):
        if not known:
            return (f'pod "{pod.full_name}": ResourceClaim not created yet',)
        if name is None:
            continue
        claim = claims.get((pod.namespace, name))
        if claim is None:
            return (f'could not find ResourceClaim "{pod.namespace}/{name}"',)
        if claim.deleting:
            return (f'resourceclaim "{name}" is being deleted',)
        if ref not in shared and (claim.owner is None or claim.owner.uid != pod.uid):
            made_for = f"was not created for Pod {pod.full_name} (Pod is not owner)"
            return (f"ResourceClaim {pod.namespace}/{name} {made_for}",)
        if not claim.allocated:
            unallocated.append(name)
    return (unsupported(unallocated),) if unallocated else ()


def unsupported(names: list[str]) -> str:
    """The message for a pod whose claims would have to be allocated."""
    return f"{UNSUPPORTED} ({', '.join(names)}: devices are not allocated yet)"


def needs_allocation(scene: Scene, pod: Pod) -> str | None:
    """The message for a pod that nobody but an allocator of devices can place, or ``None``."""
    reasons = unready_device_claim(scene, pod) if pod.spec.resource_claims else ()
    return reasons[0] if reasons and reasons[0].startswith(UNSUPPORTED) else None


def dynamic_resources(scene: Scene) -> Verdict:
    """DynamicResources: every allocated claim can be used on the node."""
    keys = [_selectors(scene, c.pods[0]) for c in scene.classes]
    _, kind = scene.kinds(keys)
    masks = []
    for selectors in dict.fromkeys(keys):
        mask = scene.none()
        for terms in selectors:
            mask |= ~scene.terms.any_of(terms)
        masks.append(mask)
    return refusal(stacked(masks, len(scene.nodes)), kind, NOT_ON_NODE)


def _selectors(scene: Scene, pod: Pod) -> tuple[tuple[NodeSelectorTerm, ...], ...]:
    if not pod.spec.resource_claims:
        return ()
    claims = _index(scene)
    named = [claims.get((pod.namespace, name or "")) for _, name, _ in claim_names(pod)]
    return tuple(c.node_selector for c in named if c is not None and c.node_selector is not None)


def _index(scene: Scene) -> dict[tuple[str, str], ResourceClaim]:
    return scene.storage.device_claims
