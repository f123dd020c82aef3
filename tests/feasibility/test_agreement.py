"""The arrays and a plain reading agree, pair by pair, on random clusters that use every rule."""

from typing import Any

from hypothesis import given

from batchsched.feasibility.compile import compile_problem
from batchsched.feasibility.explain import explain
from batchsched.feasibility.report import filter_report
from tests.builders import window_of
from tests.feasibility.plain import Cluster
from tests.strategies import clusters, snapshot_of


@given(clusters())
def test_every_verdict_is_that_of_a_plain_reading(objects: list[dict[str, Any]]) -> None:
    snapshot = snapshot_of(objects)
    cluster = Cluster(snapshot)
    window = window_of(snapshot)
    report = filter_report(snapshot, window)
    for pod in window.pods:
        spec = pod.spec
        if spec.claims or spec.resource_claims or (spec.inline_volumes and snapshot.csi_nodes):
            continue
        plain = {node.name: cluster.fits(pod, node) for node in snapshot.nodes}
        assert {name: not why for name, why in report[pod.full_name].items()} == plain


@given(clusters())
def test_a_node_that_a_pod_fits_now_is_a_candidate(objects: list[dict[str, Any]]) -> None:
    """Candidates are wider than verdicts, except for what gangs and nominated pods ask."""
    snapshot = snapshot_of(objects)
    window = window_of(snapshot)
    problem = compile_problem(snapshot, window)
    report = filter_report(snapshot, window)
    for pods, able in zip(problem.classes, problem.candidates, strict=True):
        if pods.group is not None:
            continue
        for pod in pods.pods:
            fits = [not report[pod.full_name][node.name] for node in problem.nodes]
            assert not [
                n for n, (now, ever) in enumerate(zip(fits, able, strict=True)) if now > ever
            ]


@given(clusters())
def test_every_pending_pod_is_in_one_class_or_set_aside(objects: list[dict[str, Any]]) -> None:
    snapshot = snapshot_of(objects)
    window = window_of(snapshot)
    problem = compile_problem(snapshot, window)
    tried = [pod.key for pods in problem.classes for pod in pods.pods]
    aside = [each.pod.key for each in problem.excluded]
    assert sorted([*tried, *aside]) == [pod.key for pod in window.pods]
    assert explain(snapshot, {}, window.pods).keys() == {pod.key for pod in window.pods}


@given(clusters())
def test_pods_of_a_class_are_told_the_same(objects: list[dict[str, Any]]) -> None:
    """Each pod asked alone, as a class of its own, hears what its class hears."""
    snapshot = snapshot_of(objects)
    window = window_of(snapshot)
    together = filter_report(snapshot, window)
    for pod in window.pods:
        alone = filter_report(snapshot, type(window)((pod,)))
        assert alone[pod.full_name] == together[pod.full_name]
