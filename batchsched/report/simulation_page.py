"""The page of a simulation: what came of a workload, under one policy or several."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from batchsched.report import charts
from batchsched.report.clustermap import ClusterMap, MapNode, MapPod, Run, natural, resources_of
from batchsched.report.page import render, scene_of
from batchsched.report.recorded import PHASES
from batchsched.report.tables import Tables, banded, gang_rows, tier_rows, usage_map
from batchsched.report.why import reasons, summed

BINS, ROWS_MAX, WINDOWS_MAX = 160, 40, 400
STATES_MAX, MAP_PODS_MAX = 300, 40_000
"""Of the map: windows to choose from, and pods of all policies; above that the first alone."""
HOUR_S, DAY_S, MILLI = 3600.0, 86400.0, 1000.0


def simulation_page(tables: Tables) -> str:
    """The page."""
    first = tables.policies[0]
    resource = "GPU" if tables.resource == "gpu" else "CPU"
    return render(
        "simulation.html.j2",
        title=tables.summary["name"],
        summary=tables.summary,
        policies=tables.policies,
        headline=_headline(tables),
        outcomes=_outcomes(tables),
        scene=scene_of(_map(tables)),
        usage=_usage_chart(tables, resource),
        waiting=_waiting_chart(tables),
        gaps=_gap_chart(tables, first),
        solves=_solve_chart(tables, first),
        phase_names=PHASES,
        maps=[(policy, _node_map(tables, policy)) for policy in tables.policies],
        tiers=_tiers(tier_rows(tables, first)),
        gangs=gang_rows(tables),
        left=[_left(tables, policy) for policy in tables.policies],
        windows=_windows(tables, first),
        resource=resource,
    )


def _left(tables: Tables, policy: str) -> dict[str, Any]:
    """Who never got a node under a policy, and how many of them the first policy placed."""
    cases = tables.cases.get(policy, [])
    first = tables.pods[tables.pods["policy"] == tables.policies[0]]
    placed = set(
        zip(*(first[first["node"].notna()][key] for key in ("namespace", "name")), strict=True)
    )
    rows = tables.unplaced[tables.unplaced["policy"] == policy]
    left = set(zip(rows["namespace"], rows["name"], strict=True))
    return {
        "policy": policy,
        "cases": cases,
        "reasons": reasons(cases),
        "pods": len(left),
        "more": len(left) - summed(cases),
        "elsewhere": len(left & placed),
    }


def _map(tables: Tables) -> ClusterMap:
    """The cluster, window by window."""
    nodes = tuple(
        sorted(
            (
                MapNode(str(row["node"]), _text(row["pool"]), _text(row["domain"]), _amounts(row))
                for row in tables.nodes.to_dict("records")
            ),
            key=lambda node: (node.pool, node.domain, natural(node.name)),
        )
    )
    several = len(tables.pods) <= MAP_PODS_MAX
    chosen = tables.policies if several else tables.policies[:1]
    runs = tuple(_run(tables, policy) for policy in chosen)
    return ClusterMap(nodes, runs, resources_of(nodes, (pod for run in runs for pod in run.pods)))


def _run(tables: Tables, policy: str) -> Run:
    """One policy: its windows are the states, and a pod is there from its binding to its end."""
    at_s = tables.metrics[tables.metrics["policy"] == policy]["at_s"].to_numpy(dtype=float)
    if len(at_s) > STATES_MAX:
        at_s = at_s[np.linspace(0, len(at_s) - 1, STATES_MAX).astype(int)]
    at_s = at_s if len(at_s) else np.zeros(1)
    pods = tables.pods[(tables.pods["policy"] == policy) & tables.pods["node"].notna()]
    starts = np.searchsorted(at_s, pods["bound_s"].to_numpy(dtype=float))
    ends = np.searchsorted(at_s, pods["ended_s"].fillna(np.inf).to_numpy(dtype=float))
    found = [
        MapPod(
            name=f"{row['namespace']}/{row['name']}",
            node=str(row["node"]),
            requests=_amounts(row),
            gang=_text(row["gang"]),
            start=int(start),
            end=int(end),
        )
        for row, start, end in zip(pods.to_dict("records"), starts, ends, strict=True)
        if start < end
    ]
    begin = _start(tables)
    form = "%a %H:%M:%S" if tables.duration_s > DAY_S else "%H:%M:%S"
    states = tuple(f"{begin + timedelta(seconds=float(at)):{form}}" for at in at_s)
    return Run(policy, states, tuple(found))


def _amounts(row: dict[Any, Any]) -> tuple[tuple[str, int], ...]:
    amounts = {"cpu": row["cpu_milli"], "gpu": row["gpus"], "memory": row["memory_bytes"]}
    return tuple((key, int(amount)) for key, amount in amounts.items() if amount)


def _text(value: object) -> str:
    """A cell of a table that may be empty."""
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]  # any cell


def _headline(tables: Tables) -> str:
    """The finding in one sentence."""
    first, *others = tables.summary["policies"]
    left = first["pods"] - first["placed"]
    own = (
        f"placed all {first['pods']:,} pods"
        if not left
        else (f"placed {first['placed']:,} of {first['pods']:,} pods")
    )
    if not others:
        return f"The {_called(first['policy'])} {own}."
    subject = f"The {_called(first['policy'])}"
    best = max(others, key=lambda each: (each["placed"], each["gpu_hours"]))
    if best["placed"] > first["placed"]:
        most = first["gpu_hours"] > max(each["gpu_hours"] for each in others)
        rank = "the most GPU time" if most else f"{best['policy']} {best['placed']:,}"
        return f"{subject} {own}, {'with' if most else 'and'} {rank}."
    behind = best["pods"] - best["placed"]
    theirs = "none" if not behind else f"{behind:,}"
    return f"{subject} {own}; the best of the others, {best['policy']}, left {theirs} out."


def _called(policy: str) -> str:
    return policy if policy == "solver" else f"policy {policy}"


def _outcomes(tables: Tables) -> list[dict[str, Any]]:
    rows = [dict(each) for each in tables.summary["policies"]]
    for number, row in enumerate(rows):
        row["style"] = f"s{number}"
        row["left_out"] = row["pods"] - row["placed"]
        row["share"] = row["placed"] / max(row["pods"], 1)
        row["proven"] = row["windows_proven"] / max(row["windows"], 1)
    for key, best in (("placed", max), ("gpu_hours", max), ("wait_mean_s", min)):
        value = best(row[key] for row in rows)
        for row in rows:
            row[f"best_{key}"] = bool(np.isclose(row[key], value))
    return rows


def _axes(tables: Tables, **more: Any) -> charts.Axes:  # noqa: ANN401 -- as the class has them
    """The time of day, or of the week where the run is long."""
    start_ms = _start(tables).timestamp() * MILLI
    form = "%H:%M:%S" if tables.duration_s < HOUR_S else "%H:%M"
    if tables.duration_s > 2 * DAY_S:
        form = "%a %H:%M"
    end_ms = start_ms + tables.duration_s * MILLI
    return charts.Axes(x_min=start_ms, x_max=end_ms, x_time=form, **more)


def _start(tables: Tables) -> datetime:
    return datetime.fromisoformat(tables.summary["start"])


def _moments(tables: Tables, rows: pd.DataFrame) -> list[float]:
    """When windows closed, in milliseconds."""
    start_ms = _start(tables).timestamp() * MILLI
    return [start_ms + float(at_s) * MILLI for at_s in rows["at_s"]]


def _lines(tables: Tables, column: str) -> list[charts.Line]:
    lines = []
    for policy in tables.policies:
        rows = tables.metrics[tables.metrics["policy"] == policy]
        lines.append(charts.Line(policy, _moments(tables, rows), rows[column].tolist()))
    return lines


def _usage_chart(tables: Tables, resource: str) -> str:
    axes = _axes(tables, y_max=1.0, y_format=".0%")
    return charts.steps(f"{resource}s in use over time", _lines(tables, tables.resource), axes)


def _waiting_chart(tables: Tables) -> str:
    axes = _axes(tables, y_format="~s")
    return charts.steps("Pods that wait, over time", _lines(tables, "waiting"), axes)


def _gap_chart(tables: Tables, policy: str) -> str | None:
    """The gap of each window; None where there is nothing to see."""
    rows = tables.metrics[tables.metrics["policy"] == policy]
    if not rows["gap"].max() > 0:
        return None
    gaps = [(float(gap),) for gap in rows["gap"].fillna(0.0)]
    values = list(zip(_moments(tables, rows), gaps, strict=True))
    return charts.columns("Gap of each window", [""], values, _axes(tables, y_format=".1~%"))


def _solve_chart(tables: Tables, policy: str) -> str | None:
    """Seconds of each solve, by phase; None for a policy that solves nothing."""
    rows = tables.metrics[tables.metrics["policy"] == policy]
    spent = rows[[f"{phase}_s" for phase in PHASES]].fillna(0.0).to_numpy(dtype=float)
    if not spent.any():
        return None
    values = list(zip(_moments(tables, rows), map(tuple, spent.tolist()), strict=True))
    axes = _axes(tables, y_format="~g")
    return charts.columns("Seconds of each solve by phase", PHASES, values, axes)


def _node_map(tables: Tables, policy: str) -> str:
    shares, names = banded(
        usage_map(tables, policy, BINS), [str(name) for name in tables.nodes["node"]], ROWS_MAX
    )
    return charts.heat(f"How full each node is over time, {policy}", shares, names, _axes(tables))


def _tiers(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tiers in their order: by priority from high to low, then as they came."""

    def rank(row: dict[str, Any]) -> tuple[int, int]:
        name = row["name"]
        if name.startswith("placed/priority="):
            return (0, -int(name.rpartition("=")[2]))
        return (1, 0)

    return sorted(rows, key=rank)


def _windows(tables: Tables, policy: str) -> list[dict[str, Any]]:
    start = _start(tables)
    rows = tables.metrics[tables.metrics["policy"] == policy].head(WINDOWS_MAX)
    found = rows.to_dict("records")
    for row in found:
        row["time"] = f"{start + timedelta(seconds=row['at_s']):%H:%M:%S}"
    return [{str(key): value for key, value in row.items()} for row in found]
