"""Metrics: what is counted, under which name."""

from typing import Any

from batchsched.cycle import Binding, Cycle, PodPending
from batchsched.daemon.metrics import Gauges, Metrics, queue_gauges, unschedulable
from batchsched.daemon.ports import Answer, BindWrite, DeleteWrite, EvictWrite, WindowRecord
from batchsched.plan.plan import Eviction, Plan, PlanSeconds, PlanSolver, Unplaced, tier
from batchsched.snapshot.group import PodGroup
from batchsched.testing.builders import make_pod

CPU = "0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated taint(s)."


def plan() -> Plan:
    return Plan(
        status="Feasible",
        tiers=(tier("placed/priority=0", 3, 4), tier("packing/fewest-nodes", 1, 9)),
        unplaced=(Unplaced(namespace="d", name="p", uid="u", message=CPU),),
        evictions=(Eviction(namespace="d", name="v", uid="v", from_="n", reason="Preempted"),),
        solver=PlanSolver(seconds=PlanSeconds(search=1.5, total=2.0)),
    )


def window(made: Plan | None) -> WindowRecord:
    times: dict[str, Any] = {"closed_s": 1.0, "solved_s": 3.0, "ended_s": 3.5}
    counts: dict[str, Any] = {"pods": 4, "bound": 2, "refused": 1, "waiting": 2}
    names: dict[str, Any] = {"profile": "b", "closed_by": "idle", "failure": "", "solve_id": "w1-a"}
    return WindowRecord(window=1, plan=made, **names, **times, **counts)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_window_is_counted_in_the_words_of_kube_scheduler_too() -> None:
    metrics = Metrics(process=False)
    metrics.recorded(window(plan()))
    attempts = "scheduler_schedule_attempts_total"
    results = ("scheduled", "unschedulable", "error")
    assert [value(metrics, attempts, result=r, profile="b") for r in results] == [2, 1, 1]
    assert value(metrics, "scheduler_scheduling_algorithm_duration_seconds_sum") == 2.0
    assert value(metrics, "scheduler_preemption_victims_sum") == 1
    fits = "scheduler_unschedulable_pods"
    assert value(metrics, fits, plugin="NodeResourcesFit", profile="b") == 1
    closed = {"status": "Feasible", "closed_by": "idle", "profile": "b"}
    assert value(metrics, "batchsched_windows_total", **closed) == 1
    assert value(metrics, "batchsched_window_pods_sum") == 4
    assert value(metrics, "batchsched_phase_duration_seconds_sum", phase="search") == 1.5
    assert value(metrics, "batchsched_phase_duration_seconds_sum", phase="bind") == 0.5
    assert value(metrics, "batchsched_solve_gap", profile="b") == 0.25, "of placed pods alone"


def test_a_failed_solve_is_an_error_for_each_of_its_pods() -> None:
    metrics = Metrics(process=False)
    metrics.recorded(window(None))
    errors = {"result": "error", "profile": "b"}
    assert value(metrics, "scheduler_schedule_attempts_total", **errors) == 4
    failed = {"status": "Failed", "closed_by": "idle", "profile": "b"}
    assert value(metrics, "batchsched_windows_total", **failed) == 1


def test_writes_are_counted_by_what_came_of_them() -> None:
    metrics, binding = Metrics(process=False), Binding(("d", "p"), "u", "n")
    metrics.answered(Answer(BindWrite(binding)))
    metrics.answered(Answer(BindWrite(binding), "assigned: the pod has a node already"))
    metrics.answered(Answer(BindWrite(binding, dry_run=True)))
    metrics.answered(Answer(EvictWrite(("d", "v"), "v", "for d/p"), "budget: not allowed"))
    metrics.answered(Answer(DeleteWrite(("d", "m"), "m", "gang")))
    assert value(metrics, "batchsched_binds_total", result="bound") == 1
    assert value(metrics, "batchsched_binds_total", result="refused") == 1
    assert value(metrics, "batchsched_bind_conflicts_total", reason="assigned") == 1
    assert value(metrics, "batchsched_evictions_total", result="refused") == 1
    assert value(metrics, "batchsched_gang_releases_total") == 1


def test_totals_of_others_become_counters_that_only_grow() -> None:
    metrics = Metrics(process=False)
    for total in (2, 5, 5):
        metrics.set(Gauges(leading=True, watch_restarts={"pods": total}))
    metrics.not_published("event", "full")
    assert value(metrics, "batchsched_watch_restarts_total", resource="pods") == 5
    assert value(metrics, "batchsched_events_dropped_total", kind="event", reason="full") == 1
    assert value(metrics, "batchsched_leader") == 1


def test_waiting_pods_are_counted_by_queue() -> None:
    cycle = Cycle()
    cycle.handle(PodPending(make_pod("alone")), 0.0)
    cycle.handle(PodPending(make_pod("member"), PodGroup("batchsched.io", "default", "g", 2)), 0.0)
    found = queue_gauges(cycle)
    assert found == {"active": 1, "gang": 1, "nominated": 0, "unschedulable": 0}


def test_a_pod_is_unschedulable_for_each_plugin_that_refused_a_node() -> None:
    found = unschedulable(plan())
    assert {name for name, count in found.items() if count} == {
        "NodeResourcesFit",
        "TaintToleration",
    }


def test_the_process_is_told_of_as_well() -> None:
    assert b"python_gc_objects_collected_total" in Metrics().text()
