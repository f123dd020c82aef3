"""What a pod demands of its node and of other pods, as the API server would have served it."""

from typing import Any

import pytest

from batchsched.snapshot.errors import InputError
from batchsched.snapshot.labels import LabelSelector, NodeSelectorTerm, Requirement
from batchsched.snapshot.pod import HostPort, Toleration, TopologySpread
from tests.snapshot.manifests import container, obj, pod, read_pod, snapshot_of

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def node_terms(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def near(**term: Any) -> dict[str, Any]:
    return {"podAffinity": {REQUIRED: [{"topologyKey": ZONE, **term}]}}


def spread(**fields: Any) -> dict[str, Any]:
    base = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    return {**base, **fields}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def test_node_terms_are_kept_empty_or_not() -> None:
    found = read_pod(
        affinity=node_terms({"matchExpressions": [expression("a", "In", "y", "x")]}, {})
    )
    assert found.spec.node_affinity == (
        NodeSelectorTerm((Requirement("a", "In", ("x", "y")),)),
        NodeSelectorTerm(),
    )


def test_no_terms_and_an_empty_list_of_terms_differ() -> None:
    assert read_pod().spec.node_affinity is None
    assert read_pod(affinity=node_terms()).spec.node_affinity == ()


def test_a_gt_value_that_is_no_integer_is_not_our_error() -> None:
    found = read_pod(affinity=node_terms({"matchExpressions": [expression("a", "Gt", "many")]}))
    assert found.spec.node_affinity == (NodeSelectorTerm((Requirement("a", "Gt", ("many",)),)),)


def test_match_labels_become_requirements() -> None:
    selector = {"matchLabels": {"b": "1"}, "matchExpressions": [expression("a", "Exists")]}
    (term,) = read_pod(affinity=near(labelSelector=selector)).spec.affinity
    assert term.selector == LabelSelector(
        (Requirement("a", "Exists"), Requirement("b", "In", ("1",)))
    )


def test_an_absent_selector_is_not_an_empty_one() -> None:
    assert read_pod(affinity=near()).spec.affinity[0].selector is None
    assert read_pod(affinity=near(labelSelector={})).spec.affinity[0].selector == LabelSelector()
    assert read_pod(affinity=near()).spec.affinity[0].namespace_selector is None
    found = read_pod(affinity=near(namespaceSelector={})).spec.affinity[0]
    assert found.namespace_selector == LabelSelector()


def test_label_keys_are_merged_with_the_values_of_each_pod() -> None:
    affinity = near(
        labelSelector={"matchLabels": {"app": "a"}},
        matchLabelKeys=["hash", "not-there"],
        mismatchLabelKeys=["tenant"],
    )
    first, second = snapshot_of(
        *(
            pod(name, affinity=affinity, metadata={"labels": {"hash": name, "tenant": "t"}})
            for name in ("one", "two")
        )
    ).pods
    for found in (first, second):
        assert found.spec.affinity[0].selector == LabelSelector(
            (
                Requirement("app", "In", ("a",)),
                Requirement("hash", "In", (found.name,)),
                Requirement("tenant", "NotIn", ("t",)),
            )
        )


def test_affinity_of_a_pod_that_was_served_is_not_merged_again() -> None:
    """Admission merged it with the labels of that day; a pod relabelled since keeps those."""
    affinity = near(labelSelector={"matchLabels": {"app": "a"}}, matchLabelKeys=["hash"])
    served = pod("one", affinity=affinity, metadata={"labels": {"hash": "new"}, "uid": "u"})
    (found,) = snapshot_of(served).pods
    assert found.spec.affinity[0].selector == LabelSelector((Requirement("app", "In", ("a",)),))


def test_merging_label_keys_twice_is_merging_them_once() -> None:
    labels = {"labels": {"hash": "h"}}
    once = spread(labelSelector={"matchLabels": {"a": "b"}}, matchLabelKeys=["hash"])
    merged = {"matchLabels": {"a": "b"}, "matchExpressions": [expression("hash", "In", "h")]}
    twice = spread(labelSelector=merged, matchLabelKeys=["hash"])
    specs = [
        read_pod(pod(metadata=labels, topologySpreadConstraints=[rule])).spec
        for rule in (once, twice)
    ]
    assert specs[0] == specs[1]


def test_replicas_share_one_spec_object() -> None:
    pods = [pod(f"p{n}", containers=[container(cpu="1")], nodeName=f"n{n}") for n in range(3)]
    pods[1]["spec"]["volumes"] = [{"name": "kube-api-access-x1y2z", "projected": {}}]
    pods[2]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]
    assert len({id(found.spec) for found in snapshot_of(*pods).pods}) == 1


def test_preferred_anti_affinity_weighs_less_than_nothing() -> None:
    entry = {"weight": 7, "podAffinityTerm": {"topologyKey": ZONE}}
    both = {"podAffinity": {PREFERRED: [entry]}, "podAntiAffinity": {PREFERRED: [entry]}}
    assert [weight for weight, _ in read_pod(affinity=both).spec.preferred_affinity] == [7, -7]


def test_spread_defaults_are_those_of_the_api() -> None:
    assert read_pod(topologySpreadConstraints=[spread()]).spec.spread == (
        TopologySpread(ZONE, 1, hard=True, selector=None),
    )
    found = read_pod(
        topologySpreadConstraints=[
            spread(minDomains=3, nodeAffinityPolicy="Ignore", nodeTaintsPolicy="Honor")
        ]
    )
    assert found.spec.spread == (
        TopologySpread(ZONE, 1, True, None, 3, honor_node_affinity=False, honor_node_taints=True),
    )


def test_an_empty_toleration_operator_is_equal() -> None:
    found = read_pod(tolerations=[{"key": "a", "value": "b", "tolerationSeconds": 5}])
    assert found.spec.tolerations == (Toleration("a", "Equal", "b", ""),)
    assert read_pod(tolerations=[{"key": "a", "operator": "Gt", "value": "5"}]).spec.tolerations


def test_host_ports_are_those_of_containers_and_sidecars() -> None:
    start = {**container("i"), "ports": [{"containerPort": 1, "hostPort": 81}]}
    side = {**container("s"), "restartPolicy": "Always", "ports": [{"hostPort": 82}]}
    main = {**container(), "ports": [{"hostPort": 80, "protocol": "UDP", "hostIP": "10.0.0.1"}]}
    main["ports"].append({"containerPort": 5, "hostPort": 0})
    found = read_pod(containers=[main], initContainers=[start, side])
    assert found.spec.host_ports == (HostPort(80, "UDP", "10.0.0.1"), HostPort(82))


def test_with_the_hosts_network_every_port_is_a_host_port() -> None:
    main = {**container(), "ports": [{"containerPort": 9100}]}
    assert read_pod(containers=[main], hostNetwork=True).spec.host_ports == (HostPort(9100),)
    assert read_pod(containers=[main]).spec.host_ports == ()


@pytest.mark.parametrize(
    ("spec", "priority"),
    [
        ({}, 5),
        ({"priority": 7, "priorityClassName": "high"}, 7),
        ({"priority": 0}, 0),
        ({"priorityClassName": "high"}, 1000),
        ({"priorityClassName": "not-exported"}, 0),
        ({"priorityClassName": "system-cluster-critical"}, 2_000_000_000),
        ({"priorityClassName": "system-node-critical"}, 2_000_001_000),
    ],
)
def test_priority_comes_from_the_spec_or_the_class(spec: dict[str, Any], priority: int) -> None:
    group = "scheduling.k8s.io/v1"
    high = obj("PriorityClass", "high", api=group, value=1000, preemptionPolicy="Never")
    default = obj("PriorityClass", "usual", api=group, value=5, globalDefault=True)
    found = read_pod(pod(**spec), high, default).spec
    assert found.priority == priority
    assert found.preemption_never == (spec.get("priorityClassName") == "high")


def test_no_priority_at_all_is_zero() -> None:
    assert read_pod().spec.priority == 0
    assert read_pod(preemptionPolicy="Never").spec.preemption_never


def test_images_are_named_as_nodes_list_them() -> None:
    images = ["nginx", "registry:5000/app", "a/b:v1", "c@sha256:" + "0" * 64]
    entries = [{**container(f"c{n}"), "image": image} for n, image in enumerate(images)]
    found = read_pod(containers=entries[1:], initContainers=entries[:1])
    assert found.spec.images == ("nginx:latest", "registry:5000/app:latest", *images[2:])
    assert found.spec.containers == 4


def test_features_are_inferred_from_the_spec() -> None:
    rule = {**container(), "restartPolicyRules": [{"action": "RestartAllContainers"}]}
    assert read_pod(containers=[rule], hostNetwork=True, hostUsers=False).spec.features == (
        "RestartAllContainersOnContainerExits",
        "UserNamespacesHostNetworkSupport",
    )
    assert read_pod(hostUsers=False).spec.features == ()


def test_claims_stand_in_the_order_of_the_volumes_and_as_often() -> None:
    """The first bad claim gives the reason, and one claim mounted twice is looked at twice."""
    names = ["b", "a", "b"]
    volumes = [
        {"name": f"v{i}", "persistentVolumeClaim": {"claimName": name}}
        for i, name in enumerate(names)
    ]
    assert [ref.name for ref in read_pod(pod(volumes=volumes)).spec.claims] == names


def test_device_claims_keep_their_names() -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    made = [{"name": "gpu", "resourceClaimName": "p-gpu-x"}]
    found = read_pod(pod(resourceClaims=claims, status={"resourceClaimStatuses": made}))
    assert found.spec.resource_claims == (("gpu", None, "t"),)
    assert found.claim_names == (("gpu", "p-gpu-x"),)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"tolerations": [{"key": "a", "operator": "Maybe"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"key": "a", "effect": "NoWay"}]}, "tolerations[0].effect"),
        ({"tolerations": [{"operator": "Equal"}]}, "tolerations[0]"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "tolerations[0]"),
        (
            {"topologySpreadConstraints": [spread(maxSkew=0)]},
            "topologySpreadConstraints[0].maxSkew",
        ),
        (
            {"topologySpreadConstraints": [spread(whenUnsatisfiable="Maybe")]},
            "topologySpreadConstraints[0].whenUnsatisfiable",
        ),
        (
            {"topologySpreadConstraints": [spread(minDomains=0)]},
            "topologySpreadConstraints[0].minDomains",
        ),
        (
            {
                "topologySpreadConstraints": [
                    spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")
                ]
            },
            "topologySpreadConstraints[0]",
        ),
        (
            {"topologySpreadConstraints": [spread(topologyKey="")]},
            "topologySpreadConstraints[0].topologyKey",
        ),
        (
            {"affinity": node_terms({"matchExpressions": [expression("a", "Like", "b")]})},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].operator",
        ),
        (
            {"affinity": node_terms({"matchExpressions": [expression("a", "In")]})},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]",
        ),
        (
            {"affinity": node_terms({"matchExpressions": [expression("a", "Exists", "b")]})},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]",
        ),
        (
            {"affinity": node_terms({"matchExpressions": [expression("a", "Lt", "1", "2")]})},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]",
        ),
        (
            {"affinity": node_terms({"matchFields": [expression("metadata.uid", "In", "b")]})},
            f"affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchFields[0].key",
        ),
        (
            {"affinity": near(labelSelector={"matchExpressions": [expression("a", "Gt", "1")]})},
            f"affinity.podAffinity.{REQUIRED}[0].labelSelector.matchExpressions[0].operator",
        ),
        ({"affinity": near(topologyKey="")}, f"affinity.podAffinity.{REQUIRED}[0].topologyKey"),
        (
            {
                "affinity": {
                    "podAffinity": {
                        PREFERRED: [{"weight": 0, "podAffinityTerm": {"topologyKey": ZONE}}]
                    }
                }
            },
            f"affinity.podAffinity.{PREFERRED}[0].weight",
        ),
        ({"containers": []}, "containers"),
        ({"containers": [{"ports": [{"hostPort": 70000}]}]}, "containers[0].ports[0].hostPort"),
        ({"containers": [{"ports": [{"protocol": "ICMP"}]}]}, "containers[0].ports[0].protocol"),
        ({"priority": 2**31}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"preemptionPolicy": "Always"}, "preemptionPolicy"),
        ({"nodeSelector": {"a": 1}}, "nodeSelector.a"),
        ({"nodeName": 5}, "nodeName"),
    ],
)
def test_what_the_api_server_refuses_is_refused_with_its_field(
    spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as refused:
        read_pod(**spec)
    assert refused.value.field == f"spec.{field}"
    assert refused.value.where == "Pod default/p"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"containers": []}, "is empty; the API server requires an entry"),
        ({"priority": 2**31}, "2147483648 must be less than 2147483648"),
        ({"topologySpreadConstraints": [spread(maxSkew=0)]}, "0 must be at least 1"),
        ({"containers": [{"name": "a", "ports": [{"hostPort": 99999}]}]}, "must be at most 65535"),
    ],
)
def test_limits_are_named_in_plain_words(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as refused:
        read_pod(**spec)
    assert says in refused.value.what


def owned(kind: str, api: str = "apps/v1") -> dict[str, Any]:
    owner = {"apiVersion": api, "kind": kind, "name": "web", "uid": "u", "controller": True}
    return {"labels": {"app": "web"}, "ownerReferences": [owner]}


def test_a_pod_that_a_service_selects_prefers_to_be_spread() -> None:
    service = obj("Service", "web", namespace="default", spec={"selector": {"app": "web"}})
    selector = LabelSelector((Requirement("app", "In", ("web",)),))
    found = read_pod(pod(metadata={"labels": {"app": "web"}}), service).spec.spread
    assert found == (
        TopologySpread(HOSTNAME, 3, hard=False, selector=selector),
        TopologySpread(ZONE, 5, hard=False, selector=selector),
    )


def test_what_owner_and_service_select_is_taken_together() -> None:
    service = obj("Service", "web", namespace="default", spec={"selector": {"app": "web"}})
    rule = {"matchExpressions": [expression("tier", "NotIn", "db")]}
    owner = obj("ReplicaSet", "web", api="apps/v1", namespace="default", spec={"selector": rule})
    found = read_pod(pod(metadata=owned("ReplicaSet")), service, owner).spec.spread
    assert found[0].selector == LabelSelector(
        (Requirement("app", "In", ("web",)), Requirement("tier", "NotIn", ("db",)))
    )


def test_nobody_else_gets_default_spreading() -> None:
    elsewhere = obj("Service", "web", namespace="other", spec={"selector": {"app": "web"}})
    headless = obj("Service", "none", namespace="default", spec={})
    job = obj("Job", "web", api="batch/v1", namespace="default", spec={})
    assert (
        read_pod(pod(metadata=owned("Job", "batch/v1")), elsewhere, headless, job).spec.spread == ()
    )


def test_own_constraints_keep_the_defaults_away() -> None:
    service = obj("Service", "web", namespace="default", spec={"selector": {"app": "web"}})
    entry = pod(metadata={"labels": {"app": "web"}}, topologySpreadConstraints=[spread()])
    assert len(read_pod(entry, service).spec.spread) == 1
