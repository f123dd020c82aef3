"""Who is left out is said once for each kind, with a reason that was proven, within the time."""

import time

import pytest

from batchsched.explain.question import Means
from batchsched.plan.plan import Plan
from batchsched.profile import default_profile
from batchsched.report.plan_page import plan_page
from batchsched.report.why import COMPETITION, Case, cases, reasons
from batchsched.scheduler import Limits, schedule
from batchsched.snapshot.group import PodGroup
from batchsched.snapshot.snapshot import Snapshot, pending
from tests.builders import make_node, make_pod, make_snapshot
from tests.report.test_page import check_whole

PROFILE, LIMITS = default_profile(), Limits(time_limit_s=5.0, workers=1, deterministic=True)


def crowded() -> Snapshot:
    """Four cores, and six pods of three: two kinds of gangs, and pods that are too large."""
    nodes = [make_node(f"n{i}", cpu=4000) for i in range(2)]
    gangs = [make_pod(f"{gang}-{i}", cpu=3000, priority=1) for gang in ("a", "b") for i in range(2)]
    huge = [make_pod(f"huge-{i}", cpu=9000) for i in range(3)]
    groups = {
        PodGroup("batchsched.io", "default", name, min_count=2): [
            pod for pod in gangs if pod.name[0] == name
        ]
        for name in ("a", "b")
    }
    return make_snapshot(nodes, [*gangs, *huge], groups=groups)


def planned(snapshot: Snapshot) -> Plan:
    return schedule(snapshot, pending(snapshot), PROFILE, LIMITS, time.monotonic)


def means(limit_s: float = 60.0) -> Means:
    return Means(PROFILE, LIMITS, time.monotonic, time.monotonic() + limit_s)


@pytest.fixture(scope="module")
def found() -> list[Case]:
    snapshot = crowded()
    return cases(planned(snapshot), snapshot, means())


def test_those_of_a_kind_are_one_case_and_the_most_important_is_first(found: list[Case]) -> None:
    assert [(case.subject, case.gang, case.alike, case.pods) for case in found] == [
        ("default/b", True, 1, 2),
        ("default/huge-0", False, 3, 3),
    ]


def test_who_would_fit_alone_is_told_that_others_are_in_the_way(found: list[Case]) -> None:
    gang, huge = found
    assert (gang.note, huge.note) == (COMPETITION, "")
    for case in found:
        assert case.explanation is not None
        assert (case.explanation.status, case.explanation.proven) == ("Unplaced", True)
        assert case.explanation.facts
        assert case.explanation.remedies


def test_the_page_says_why_and_what_would_help() -> None:
    snapshot = crowded()
    page = plan_page(planned(snapshot), "plan.json", snapshot, means())
    check_whole(page)
    for text in ("huge-0 and 2 like it", "What would help", "needs 9 cpu", 'id="map-canvas"'):
        assert text in page


def test_without_time_or_snapshot_the_backlog_has_its_messages() -> None:
    snapshot = crowded()
    plan = planned(snapshot)
    for late in (cases(plan, snapshot, means(-1.0)), cases(plan, None, None)):
        assert sum(case.pods for case in late) == 5
        assert all(case.explanation is None for case in late)
        assert all(row.message.startswith("0/2 nodes") for row in reasons(late))


def test_reasons_are_counted_in_pods() -> None:
    told = [
        Case(subject=f"d/{name}", gang=False, pods=pods, names=(f"d/{name}",), message=message)
        for name, pods, message in (("x", 1, "m"), ("y", 4, "n"), ("z", 1, "n"))
    ]
    rows = [(row.message, row.pods, row.names) for row in reasons(told)]
    assert rows == [("n", 5, ("d/y", "d/z")), ("m", 1, ("d/x",))]


def test_a_plan_that_could_be_better_is_not_called_impossible() -> None:
    snapshot = make_snapshot([make_node()], [make_pod("p", cpu=1000)])
    left = planned(make_snapshot([make_node(cpu=500)], [make_pod("p", cpu=1000)]))
    (case,) = cases(left, snapshot, means())
    assert case.explanation is not None
    assert (case.explanation.status, case.note) == ("Placed", "")
    page = plan_page(left, "plan.json", snapshot, means())
    assert "A longer solve, another policy or the next window may place it." in page
