"""The folder that a simulation leaves: plans, tables (CSV), a summary (JSON), and the page.

What is in it is said in docs/simulate.md; `batchsched report DIR` makes the page again from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import pandas as pd

from batchsched.explain.question import Means
from batchsched.plan.plan import Plan
from batchsched.report.recorded import PHASES
from batchsched.report.simulation_page import simulation_page
from batchsched.report.tables import EXPLANATIONS, Tables, read_tables
from batchsched.report.topology import places
from batchsched.report.why import NAMES_MAX, Case, cases
from batchsched.sim.meter import gpus
from batchsched.sim.outcome import Outcome, gangs, gap
from batchsched.sim.scenario import Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.pod import Quantities
from batchsched.snapshot.snapshot import Snapshot, pending

SUMMARY, PAGE = "summary.json", "report.html"
NO_WINDOW = "in no window yet"


def write_folder(
    folder: Path,
    scenario: Scenario,
    seed: int,
    runs: Mapping[str, Simulation],
    outcomes: Sequence[Outcome],
    means: Callable[[], Means] | None = None,
) -> Path:
    """Write everything; give the page.

    Args:
        folder: Where to.
        scenario: What happened.
        seed: What was drawn from.
        runs: The runs, by policy.
        outcomes: What came of them.
        means: For each run, with what to prove why pods were left out; None: nothing is proven.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for policy, run in runs.items():
        _write_plans(folder / "plans" / policy, run)
    frames = {
        "metrics": [row for policy, run in runs.items() for row in _windows(policy, run)],
        "tiers": [row for policy, run in runs.items() for row in _tiers(policy, run)],
        "pods": [row for policy, run in runs.items() for row in _pods(policy, run)],
        "gangs": [row for policy, run in runs.items() for row in _gangs(policy, run)],
        "unplaced": [row for policy, run in runs.items() for row in _unplaced(policy, run)],
        "nodes": _nodes(scenario.base),
    }
    for name, rows in frames.items():
        frame = pd.DataFrame(rows, columns=None if rows else Tables.columns(name))
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / SUMMARY).write_bytes(_summary(scenario, seed, outcomes))
    (folder / EXPLANATIONS).write_bytes(_explanations(runs, means))
    page = folder / PAGE
    page.write_text(simulation_page(read_tables(folder)), encoding="utf-8")
    return page


def _write_plans(folder: Path, run: Simulation) -> None:
    """One file for each window that was planned; those of an earlier run are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("window-*.json"):
        old.unlink()
    for window in run.recorder.windows:
        if window.plan is not None:
            (folder / f"window-{window.window:05}.json").write_bytes(window.plan.to_json())


def _summary(scenario: Scenario, seed: int, outcomes: Sequence[Outcome]) -> bytes:
    content = {
        "apiVersion": "batchsched.io/v1alpha1",
        "kind": "SimulationSummary",
        "name": scenario.name,
        "seed": seed,
        "start": scenario.start.isoformat(),
        "durationSeconds": scenario.duration_s,
        "nodes": len(scenario.base.nodes),
        "notes": list(scenario.notes),
        "policies": [asdict(each) for each in outcomes],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _windows(policy: str, run: Simulation) -> list[dict[str, object]]:
    """One row for each window; usage is that when it was over."""
    return [
        {
            "policy": policy,
            "window": window.window,
            "at_s": round(window.closed_s, 3),
            "closed_by": window.closed_by,
            "pods": window.pods,
            "placed": window.bound,
            "refused": window.refused,
            "waiting": window.waiting,
            "gap": gap(window),
            "status": window.plan.status if window.plan is not None else "Failed",
            "seconds": window.plan.solver.seconds.total if window.plan is not None else None,
            **_phases(window.plan),
            "cpu": round(usage.cpu, 6),
            "memory": round(usage.memory, 6),
            "gpu": round(usage.gpu, 6),
            "running": usage.running,
            "failure": window.failure,
        }
        for window, usage in zip(run.recorder.windows, run.meter.samples, strict=False)
    ]


def _tiers(policy: str, run: Simulation) -> list[dict[str, object]]:
    return [
        {"policy": policy, "window": window.window, **tier.model_dump()}
        for window in run.recorder.windows
        if window.plan is not None
        for tier in window.plan.tiers
    ]


def _pods(policy: str, run: Simulation) -> list[dict[str, object]]:
    lives = sorted(run.meter.lives.values(), key=lambda life: (life.created_s, life.pod))
    return [
        {
            "policy": policy,
            "namespace": life.pod[0],
            "name": life.pod[1],
            "gang": "/".join(life.group[:2]) if life.group is not None else None,
            "node": life.node,
            **_amounts(life.requests),
            "created_s": round(life.created_s, 3),
            "bound_s": None if life.bound_s is None else round(life.bound_s, 3),
            "ended_s": None if life.ended_s is None else round(life.ended_s, 3),
        }
        for life in lives
    ]


def _gangs(policy: str, run: Simulation) -> list[dict[str, object]]:
    return [
        {
            "policy": policy,
            "gang": "/".join(gang.name[:2]),
            "min_count": gang.min_count,
            "members": gang.members,
            "created_s": round(gang.created_s, 3),
            "started_s": None if gang.started_s is None else round(gang.started_s, 3),
        }
        for gang in gangs(list(run.meter.lives.values()))
    ]


def _unplaced(policy: str, run: Simulation) -> list[dict[str, object]]:
    """Who never got a node, with what was last said of them."""
    said = {
        (each.namespace, each.name): each
        for window in run.recorder.windows
        if window.plan is not None
        for each in window.plan.unplaced
    }
    rows: list[dict[str, object]] = []
    for life in sorted(run.meter.lives.values(), key=lambda life: life.pod):
        if life.bound_s is None and life.ended_s is None:
            last = said.get(life.pod)
            rows.append(
                {
                    "policy": policy,
                    "namespace": life.pod[0],
                    "name": life.pod[1],
                    "gang": "/".join(life.group[:2]) if life.group is not None else None,
                    "reason": last.reason if last else "Pending",
                    "message": last.message if last else NO_WINDOW,
                }
            )
    return rows


def _explanations(runs: Mapping[str, Simulation], means: Callable[[], Means] | None) -> bytes:
    """Why those who never got a node did not, by policy, asked of the cluster at its end."""
    found = {policy: _cases(run, means) for policy, run in runs.items()}
    content = {
        policy: [case.model_dump(by_alias=True) for case in each] for policy, each in found.items()
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _cases(run: Simulation, means: Callable[[], Means] | None) -> list[Case]:
    """The cases of one run: what is pending at its end; last those that came after all windows."""
    said = {
        (each.namespace, each.name): each
        for window in run.recorder.windows
        if window.plan is not None
        for each in window.plan.unplaced
    }
    snapshot = run.cluster.snapshot()
    keys = [pod.key for pod in pending(snapshot).pods]
    left = tuple(said[key] for key in keys if key in said)
    states = {
        (group.namespace, group.name): group
        for window in run.recorder.windows
        if window.plan is not None
        for group in window.plan.pod_groups
    }
    end = Plan(status="Feasible", unplaced=left, pod_groups=tuple(states.values()))
    found = cases(end, snapshot, means() if means is not None else None)
    return [*found, *_waiting([key for key in keys if key not in said])]


def _waiting(keys: Sequence[tuple[str, str]]) -> list[Case]:
    """Pods that no window had yet, as one case."""
    if not keys:
        return []
    names = tuple(f"{namespace}/{name}" for namespace, name in keys)
    return [
        Case(
            subject=names[0],
            gang=False,
            alike=len(names),
            pods=len(names),
            names=names[:NAMES_MAX],
            message=NO_WINDOW,
            waiting=True,
        )
    ]


def _nodes(snapshot: Snapshot) -> list[dict[str, object]]:
    """The nodes that were there at the start."""
    return [
        {"node": node.name, "pool": pool, "domain": domain, **_amounts(node.allocatable)}
        for node, (pool, domain) in zip(snapshot.nodes, places(snapshot), strict=True)
    ]


def _phases(plan: Plan | None) -> dict[str, float | None]:
    """Seconds of each phase of a solve."""
    spent = plan.solver.seconds.model_dump() if plan is not None else {}
    return {f"{phase}_s": spent.get(phase) for phase in PHASES}


def _amounts(quantities: Quantities) -> dict[str, int]:
    amounts = dict(quantities)
    return {
        "cpu_milli": amounts.get("cpu", 0),
        "memory_bytes": amounts.get("memory", 0),
        "gpus": gpus(quantities),
    }
