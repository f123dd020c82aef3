"""The folder that a simulation leaves: plans, tables (CSV), a summary (JSON), and the page.

What is in it is said in docs/simulate.md; `batchsched report DIR` makes the page again from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
import pandas as pd

from batchsched.report.page import simulation_page
from batchsched.report.tables import Tables, read_tables
from batchsched.sim.meter import gpus
from batchsched.sim.outcome import Outcome, gangs, gap
from batchsched.sim.scenario import Scenario
from batchsched.sim.simulation import Simulation
from batchsched.snapshot.pod import Quantities

SUMMARY, PAGE = "summary.json", "report.html"


def write_folder(
    folder: Path,
    scenario: Scenario,
    seed: int,
    runs: Mapping[str, Simulation],
    outcomes: Sequence[Outcome],
) -> Path:
    """Write everything; give the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for policy, run in runs.items():
        _write_plans(folder / "plans" / policy, run)
    frames = {
        "metrics": [row for policy, run in runs.items() for row in _windows(policy, run)],
        "tiers": [row for policy, run in runs.items() for row in _tiers(policy, run)],
        "pods": [row for policy, run in runs.items() for row in _pods(policy, run)],
        "gangs": [row for policy, run in runs.items() for row in _gangs(policy, run)],
        "unplaced": [row for policy, run in runs.items() for row in _unplaced(policy, run)],
        "nodes": [_node(node.name, node.allocatable) for node in scenario.base.nodes],
    }
    for name, rows in frames.items():
        frame = pd.DataFrame(rows, columns=None if rows else Tables.columns(name))
        frame.to_csv(folder / f"{name}.csv", index=False)
    (folder / SUMMARY).write_bytes(_summary(scenario, seed, outcomes))
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
                    "message": last.message if last else "in no window yet",
                }
            )
    return rows


def _node(name: str, allocatable: Quantities) -> dict[str, object]:
    return {"node": name, **_amounts(allocatable)}


def _amounts(quantities: Quantities) -> dict[str, int]:
    amounts = dict(quantities)
    return {
        "cpu_milli": amounts.get("cpu", 0),
        "memory_bytes": amounts.get("memory", 0),
        "gpus": gpus(quantities),
    }
