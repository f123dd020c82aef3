"""Binding order: each pod passes kube-scheduler's filters at its turn, wherever that can be.

``passes`` says those filters once more, one pod against those before it, as slowly as can be read.
"""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from batchsched.constraints.affinity import Affinity
from batchsched.constraints.anti_affinity import AntiAffinity
from batchsched.constraints.spread import Spread
from batchsched.plan.order import binding_order
from batchsched.plan.state import FinalState, Placed
from batchsched.plan.verify import final_state
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.labels import LabelSelector, selects
from batchsched.snapshot.pod import Pod, PodSpec
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import (
    HOSTNAME,
    ZONE,
    make_node,
    make_pod,
    make_replicas,
    make_snapshot,
    make_spec,
    pod_term,
    spread,
)

X, Y = {"app": "x"}, {"app": "y"}
ZONES = [make_node(f"n{i}", labels={ZONE: zone}) for i, zone in enumerate("aabbc")]


def placed(snapshot: Snapshot, **places: str) -> FinalState:
    keyed = {("default", name.replace("_", "-")): node for name, node in places.items()}
    return final_state(snapshot, pending(snapshot), keyed)


def names(state: FinalState) -> list[str]:
    return [each.pod.name for each in binding_order(state)]


def matches(selector: LabelSelector | None, pod: Pod) -> bool:
    return selects(selector, dict(pod.labels))


def passes(state: FinalState, here: Sequence[Placed], placed: Placed) -> bool:
    """Whether kube-scheduler would let the pod on its node, with these pods there."""
    return _has_company(here, placed) and _is_spread(state, here, placed)


def _has_company(here: Sequence[Placed], placed: Placed) -> bool:
    terms, labels = placed.pod.spec.affinity, dict(placed.node.labels)
    if not all(term.topology_key in labels for term in terms):
        return False
    company = [
        dict(each.node.labels)
        for each in here
        if all(matches(term.selector, each.pod) for term in terms)
        and any(term.topology_key in dict(each.node.labels) for term in terms)
    ]
    if not company:
        return all(matches(term.selector, placed.pod) for term in terms)
    keys = [term.topology_key for term in terms]
    return all(any(each.get(key) == labels[key] for each in company) for key in keys)


def _is_spread(state: FinalState, here: Sequence[Placed], placed: Placed) -> bool:
    labels = dict(placed.node.labels)
    hard = [each for each in placed.pod.spec.spread if each.hard]
    keys = {each.topology_key for each in hard}
    eligible = {n for n, node in state.nodes.items() if keys <= dict(node.labels).keys()}
    for each in hard:
        if each.topology_key not in labels:
            return False
        domain_of = {n: dict(state.nodes[n].labels)[each.topology_key] for n in eligible}
        counts = dict.fromkeys(domain_of.values(), 0)
        for other in here:
            if other.node.name in eligible and matches(each.selector, other.pod):
                counts[domain_of[other.node.name]] += 1
        mine = counts[labels[each.topology_key]] + matches(each.selector, placed.pod)
        if mine - min(counts.values()) > each.max_skew:
            return False
    return True


def refused(state: FinalState, order: Sequence[Placed]) -> int:
    """How many are bound against the filters."""
    here = [each for each in state.pods if not each.new]
    count = 0
    for each in order:
        count += not passes(state, here, each)
        here.append(each)
    return count


def exists(state: FinalState) -> bool:
    """Whether any order passes, by trying them all."""
    pods, fixed = state.placed, [each for each in state.pods if not each.new]
    dead: set[frozenset[int]] = set()

    def go(bound: frozenset[int]) -> bool:
        if len(bound) == len(pods):
            return True
        if bound in dead:
            return False
        here = [*fixed, *(pods[i] for i in bound)]
        for i in range(len(pods)):
            if i not in bound and passes(state, here, pods[i]) and go(bound | {i}):
                return True
        dead.add(bound)
        return False

    return go(frozenset())


def test_pods_that_no_rule_concerns_come_by_priority_then_by_name() -> None:
    pods = [make_pod("b"), make_pod("a"), make_pod("z", priority=5)]
    snapshot = make_snapshot(ZONES, pods)
    assert names(placed(snapshot, a="n0", b="n0", z="n0")) == ["z", "a", "b"]


def test_a_group_stays_together_the_hardest_pod_first() -> None:
    gang = [
        make_pod("a", cpu=100),
        make_pod("m", cpu=900),
        make_pod("z", requests={"example.com/gpu": 1}),
    ]
    group = PodGroup("batchsched.io", "default", "g", 3)
    snapshot = make_snapshot(ZONES, [*gang, make_pod("k")], groups={group: gang})
    assert names(placed(snapshot, a="n0", k="n0", m="n0", z="n0")) == ["z", "m", "a", "k"]


def test_the_lowest_domain_is_filled_first() -> None:
    pods = make_replicas(4, labels=X, spread=(spread(X),))
    snapshot = make_snapshot(ZONES[:4], pods)
    state = placed(snapshot, p_0000="n0", p_0001="n1", p_0002="n2", p_0003="n3")
    assert refused(state, state.placed) > 0
    assert refused(state, binding_order(state)) == 0


def test_a_follower_comes_after_whom_it_follows() -> None:
    pods = [make_pod("a", affinity=(pod_term(Y, ZONE),)), make_pod("b", labels=Y)]
    state = placed(make_snapshot(ZONES, pods), a="n0", b="n1")
    assert names(state) == ["b", "a"]


def test_the_first_of_a_series_comes_before_those_who_are_of_it_by_chance() -> None:
    leaders = [make_pod(n, labels=X, affinity=(pod_term(X, ZONE),)) for n in ("p1", "p2")]
    snapshot = make_snapshot(ZONES, [make_pod("chance", labels=X), *leaders])
    state = placed(snapshot, chance="n2", p1="n0", p2="n1")
    assert names(state)[-1] == "chance"
    assert refused(state, binding_order(state)) == 0


def test_who_waits_for_another_group_comes_when_that_is_there() -> None:
    gang = make_replicas(2, "g", labels=X, spread=(spread(X),), priority=5)
    other = make_pod("o", labels=X)
    group = PodGroup("batchsched.io", "default", "g", 2)
    snapshot = make_snapshot(ZONES[:4], [*gang, other], groups={group: gang})
    state = placed(snapshot, g_0000="n0", g_0001="n1", o="n2")
    assert names(state) == ["g-0000", "o", "g-0001"]


def test_where_there_is_no_order_all_pods_are_bound_nevertheless() -> None:
    pods = [
        make_pod("p1", labels=X, affinity=(pod_term(Y, ZONE),)),
        make_pod("p2", labels=Y, affinity=(pod_term(X, ZONE),)),
    ]
    state = placed(make_snapshot(ZONES, pods), p1="n0", p2="n1")
    assert not exists(state)
    assert names(state) == ["p1", "p2"]


def _specs(draw: random.Random) -> list[PodSpec]:
    def term() -> object:
        return pod_term({"app": draw.choice("xy")}, draw.choice([ZONE, HOSTNAME]))

    def even() -> object:
        selector = {"app": draw.choice("xy")}
        return spread(selector, draw.choice([ZONE, HOSTNAME]), max_skew=draw.randint(1, 2))

    found = []
    for _ in range(3):
        kind = draw.randint(0, 4)
        fields: dict[str, Any] = {
            "affinity": tuple(term() for _ in range(draw.randint(1, 2))) if kind in (0, 1) else (),
            "spread": tuple(even() for _ in range(draw.randint(1, 2))) if kind in (1, 2, 3) else (),
            "anti_affinity": (term(),) if draw.random() < 0.1 else (),
        }
        found.append(make_spec(**fields))
    return found


def random_state(draw: random.Random) -> FinalState | None:
    """A valid final state of a few pods, if chance finds one."""
    nodes = [
        make_node(f"n{i}", labels={ZONE: draw.choice("abc")} if draw.random() < 0.9 else {})
        for i in range(draw.randint(2, 4))
    ]
    specs = _specs(draw)
    pods = [
        make_pod(f"p{i}", labels={"app": draw.choice("xy")}, spec=draw.choice(specs))
        for i in range(draw.randint(3, 7))
    ]
    running = [
        make_pod(f"r{i}", labels={"app": draw.choice("xy")}, node=draw.choice(nodes).name)
        for i in range(draw.randint(0, 2))
    ]
    snapshot = make_snapshot(nodes, [*pods, *running])
    best: FinalState | None = None
    for _ in range(20):
        chosen = {pod.key: draw.choice(nodes).name for pod in pods if draw.random() < 0.9}
        state = final_state(snapshot, pending(snapshot), chosen)
        rules = (Affinity(), Spread(), AntiAffinity())
        valid = not any(list(rule.check(state)) for rule in rules)
        if valid and (best is None or len(state.placed) > len(best.placed)):
            best = state
    return best if best is not None and len(best.placed) >= 3 else None


def test_an_order_is_found_almost_wherever_there_is_one() -> None:
    draw = random.Random(5)
    states = [state for _ in range(500) if (state := random_state(draw)) is not None]
    ours = [state for state in states if not refused(state, binding_order(state))]
    missed = [state for state in states if state not in ours and exists(state)]
    assert len(states) > 200
    assert len(ours) / len(states) > 0.95
    assert len(missed) <= 2


@pytest.mark.parametrize("seed", range(20))
def test_everybody_is_bound_once_and_the_order_is_the_same_every_time(seed: int) -> None:
    state = random_state(random.Random(seed))
    if state is not None:
        order = binding_order(state)
        assert sorted(each.pod.key for each in order) == [each.pod.key for each in state.placed]
        assert binding_order(state) == order
