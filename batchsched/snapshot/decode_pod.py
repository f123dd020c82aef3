"""What a pod's spec means to a scheduler. See ``api_pod`` for its form.

``matchLabelKeys`` and ``mismatchLabelKeys`` are merged into selectors here as the API server does
at admission, so a spec that has them depends on the labels of its pod, and only then. A pod that
the API server has served was merged when it was made: kube-scheduler merges its spread again and
its affinity never, and so do we, which matters to pods that were relabelled since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from batchsched.snapshot import decode_volumes
from batchsched.snapshot.api_pod import (
    AffinityModel,
    ContainerModel,
    PodSpecModel,
    PodTermModel,
    SpreadModel,
    TolerationModel,
)
from batchsched.snapshot.decode import label_selector, node_selector, node_term, pairs
from batchsched.snapshot.labels import IN, NOT_IN, Labels, LabelSelector, Requirement
from batchsched.snapshot.pod import (
    HostPort,
    PodAffinityTerm,
    PodSpec,
    Toleration,
    TopologySpread,
)
from batchsched.snapshot.requests import is_sidecar, requested

_SYSTEM_CLASSES = {
    "system-cluster-critical": (2_000_000_000, False),
    "system-node-critical": (2_000_001_000, False),
}


@dataclass(frozen=True, slots=True)
class Priorities:
    """PriorityClasses: name to (value, never preempts), and the global default.

    The API server fills in ``spec.priority``, so this matters for manifests written by hand only. A
    class that is not in the snapshot counts as 0: exports often leave classes out.
    """

    classes: dict[str, tuple[int, bool]] = field(default_factory=dict)
    default: tuple[int, bool] = (0, False)

    def of(self, model: PodSpecModel) -> tuple[int, bool]:
        """``(priority, never preempts)`` of a pod."""
        name = model.priority_class_name
        known = self.classes.get(name) or _SYSTEM_CLASSES.get(name) if name else self.default
        value, never = known or (0, False)
        if model.priority is not None:
            value, never = model.priority, never and bool(name)
        if model.preemption_policy:
            never = model.preemption_policy == "Never"
        return value, never


def pod_spec(
    model: PodSpecModel, labels: Labels, priorities: Priorities, *, served: bool = False
) -> PodSpec:
    """The spec of a pod with these labels; ``served`` where it has been through admission."""
    unmerged: Labels = {} if served else labels
    affinity = model.affinity or AffinityModel()
    nodes, near, apart = affinity.node_affinity, affinity.pod_affinity, affinity.pod_anti_affinity
    priority, never = priorities.of(model)
    return PodSpec(
        scheduler_name=model.scheduler_name or "default-scheduler",
        requests=requested(model),
        node_selector=pairs(model.node_selector),
        node_affinity=node_selector(nodes.required) if nodes else None,
        preferred_nodes=tuple(
            (term.weight, node_term(term.preference)) for term in (nodes and nodes.preferred) or ()
        ),
        affinity=_terms(near.required if near else None, unmerged),
        anti_affinity=_terms(apart.required if apart else None, unmerged),
        preferred_affinity=_preferred(affinity, unmerged),
        spread=tuple(_spread(c, labels) for c in model.topology_spread_constraints or ()),
        tolerations=tuple(sorted({_toleration(t) for t in model.tolerations or ()})),
        host_ports=_host_ports(model),
        claims=decode_volumes.claims(model),
        disks=decode_volumes.disks(model),
        inline_volumes=decode_volumes.inline_volumes(model),
        resource_claims=tuple(
            (c.name, c.resource_claim_name, c.resource_claim_template_name)
            for c in model.resource_claims or ()
        ),
        images=_images(model),
        containers=len(model.containers) + len(model.init_containers or ()),
        priority=priority,
        preemption_never=never,
        gated=bool(model.scheduling_gates),
        pod_group=(model.scheduling_group and model.scheduling_group.pod_group_name) or None,
        features=_features(model),
        deadline_s=model.active_deadline_seconds,
    )


def _toleration(model: TolerationModel) -> Toleration:
    return Toleration(
        model.key or "", model.operator or "Equal", model.value or "", model.effect or ""
    )


def _terms(models: Iterable[PodTermModel] | None, labels: Labels) -> tuple[PodAffinityTerm, ...]:
    return tuple(_term(model, labels) for model in models or ())


def _term(model: PodTermModel, labels: Labels) -> PodAffinityTerm:
    """One term of pod affinity, the keys merged into its selector."""
    selector = _merged(label_selector(model.label_selector), model.match_label_keys, labels, IN)
    return PodAffinityTerm(
        model.topology_key,
        _merged(selector, model.mismatch_label_keys, labels, NOT_IN),
        tuple(sorted(set(model.namespaces or ()))),
        label_selector(model.namespace_selector),
    )


def _preferred(affinity: AffinityModel, labels: Labels) -> tuple[tuple[int, PodAffinityTerm], ...]:
    """Preferred terms of both kinds; those of anti-affinity weigh less than nothing."""
    near, apart = affinity.pod_affinity, affinity.pod_anti_affinity
    wanted = [
        (t.weight, _term(t.pod_affinity_term, labels)) for t in (near and near.preferred) or ()
    ]
    shunned = [
        (-t.weight, _term(t.pod_affinity_term, labels)) for t in (apart and apart.preferred) or ()
    ]
    return (*wanted, *shunned)


def _spread(model: SpreadModel, labels: Labels) -> TopologySpread:
    return TopologySpread(
        model.topology_key,
        model.max_skew,
        model.when_unsatisfiable == "DoNotSchedule",
        _merged(label_selector(model.label_selector), model.match_label_keys, labels, IN),
        model.min_domains or 1,
        model.node_affinity_policy != "Ignore",
        model.node_taints_policy == "Honor",
    )


def _merged(
    selector: LabelSelector | None, keys: list[str] | None, labels: Labels, operator: str
) -> LabelSelector | None:
    """A selector with the pod's own values of these keys, where it has them."""
    if selector is None or not keys:
        return selector
    own = {Requirement(key, operator, (labels[key],)) for key in keys if key in labels}
    return LabelSelector(tuple(sorted(own.union(selector.requirements))))


def _host_ports(model: PodSpecModel) -> tuple[HostPort, ...]:
    """Ports on the node, of containers and sidecars; with the host's network, every port is one."""
    sidecars = [container for container in model.init_containers or () if is_sidecar(container)]
    found = set()
    for container in (*model.containers, *sidecars):
        for port in container.ports or ():
            number = port.host_port or (port.container_port if model.host_network else 0)
            if number:
                found.add(HostPort(number, port.protocol or "TCP", port.host_ip or "0.0.0.0"))  # noqa: S104 -- Kubernetes' wildcard
    return tuple(sorted(found))


def _images(model: PodSpecModel) -> tuple[str, ...]:
    """Every image, named as nodes list them (``:latest`` where no tag is written)."""
    containers: list[ContainerModel] = [*(model.init_containers or ()), *model.containers]
    names = [container.image for container in containers if container.image]
    return tuple(_tagged(name) for name in [*names, *decode_volumes.image_volumes(model)])


def _tagged(image: str) -> str:
    return image if image.rfind(":") > image.rfind("/") else image + ":latest"


def _features(model: PodSpecModel) -> tuple[str, ...]:
    """What the node must declare (NodeDeclaredFeatures, as of 1.36)."""
    found = []
    containers = [*model.containers, *(model.init_containers or ())]
    rules = [rule for container in containers for rule in container.restart_policy_rules or ()]
    if any(rule.action == "RestartAllContainers" for rule in rules):
        found.append("RestartAllContainersOnContainerExits")
    if model.host_network and model.host_users is False:
        found.append("UserNamespacesHostNetworkSupport")
    return tuple(found)
