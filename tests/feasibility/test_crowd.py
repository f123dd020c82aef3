"""Crowds: what many pods share is found once, whoever shares it."""

from dataclasses import replace

import numpy as np

from batchsched.feasibility.crowd import Crowd, told_apart
from batchsched.feasibility.resources import held
from tests.builders import make_pod


def test_distinct_objects_are_listed_in_order_of_appearance() -> None:
    a, b = ("a",), ("b",)
    parts, of = told_apart([b, a, b, b])
    assert parts == [b, a]
    assert of.tolist() == [0, 1, 0, 0]


def test_equal_specs_are_asked_alike_whether_pods_share_them_or_not() -> None:
    shared = make_pod("a", cpu=100)
    pods = [shared, replace(shared, name="b"), make_pod("c", cpu=100), make_pod("d", cpu=200)]
    crowd = Crowd(pods)
    assert len(crowd.specs[0]) == 3
    assert crowd.having(lambda spec: dict(spec.requests)["cpu"] == 100).tolist() == [0, 1, 2]


def test_a_crowd_of_nobody_can_be_asked() -> None:
    crowd = Crowd([])
    assert not len(crowd.having(lambda spec: spec.claims))
    assert not len(crowd.staying)
    assert held(crowd, np.zeros(0, dtype=np.int64), ["cpu"], 2).tolist() == [[0], [0]]


def test_pods_hold_what_they_request_where_they_are_known_to_be() -> None:
    small, large = make_pod("a", node="n1", cpu=1), make_pod("b", node="n1", cpu=2**53)
    pods = Crowd([small, replace(small, name="c"), large, replace(large, name="d")])
    of_node = np.array([1, 1, 1, -1], dtype=np.int64)
    assert held(pods, of_node, ["cpu", "memory"], 2).tolist() == [[0, 0], [2**53 + 2, 0]]
