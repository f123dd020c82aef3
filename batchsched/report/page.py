"""The page: what stands in it, for a simulation or for one plan. How it looks is the template's."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from batchsched import __version__
from batchsched.plan.plan import Plan
from batchsched.report import charts
from batchsched.report.tables import Tables, banded, gang_rows, reasons, tier_rows, usage_map
from batchsched.sim.durations import written

BINS, ROWS_MAX, WINDOWS_MAX, PLAN_NODES_MAX = 160, 40, 400, 2_000
HOUR_S = 3600.0


def simulation_page(tables: Tables) -> str:
    """The page of a simulation."""
    first = tables.policies[0]
    return _render(
        "simulation.html.j2",
        title=tables.summary["name"],
        summary=tables.summary,
        policies=tables.policies,
        headline=_headline(tables),
        outcomes=_outcomes(tables),
        usage=_usage_chart(tables),
        waiting=_waiting_chart(tables),
        solves=_solve_chart(tables, first),
        hours=_hours(tables),
        maps=[_node_map(tables, policy) for policy in tables.policies],
        tiers=_tiers(tier_rows(tables, first)),
        gangs=gang_rows(tables),
        unplaced=[
            (policy, reasons(tables.unplaced[tables.unplaced["policy"] == policy]))
            for policy in tables.policies
        ],
        windows=_windows(tables, first),
        resource="GPU" if tables.resource == "gpu" else "CPU",
    )


def plan_page(plan: Plan, name: str) -> str:
    """The page of one plan."""
    seconds = plan.solver.seconds.model_dump()
    parts = [(step, seconds[step]) for step in seconds if step != "total" and seconds[step] > 0]
    unplaced = pd.DataFrame(
        [each.model_dump() for each in plan.unplaced],
        columns=["namespace", "name", "uid", "pod_group", "reason", "message"],
    )
    tiers = [
        {"name": t.name, "value": t.value, "bound": t.bound, "worst_gap": t.gap, "status": t.status}
        for t in plan.tiers
    ]
    return _render(
        "plan.html.j2",
        title=name,
        plan=plan,
        tiers=tiers,
        unplaced=reasons(unplaced),
        nodes=_plan_nodes(plan),
        seconds=parts,
        seconds_bar=charts.stacked(parts),
    )


def _render(template: str, **values: object) -> str:
    loader = PackageLoader("batchsched.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": written, "percent": _percent, "count": lambda n: f"{n:,}"}
    environment.globals |= {"share_bar": charts.share_bar}
    return environment.get_template(template).render(version=__version__, **values)


def _percent(share: float | None, digits: int = 1) -> str:
    """A share for people; what is not quite nothing is not shown as nothing."""
    if share is None or share != share:  # noqa: PLR0124 -- not a number
        return "–"
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"< {10**-digits:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


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


def _lines(tables: Tables, column: str) -> list[charts.Line]:
    lines = []
    for policy in tables.policies:
        rows = tables.metrics[tables.metrics["policy"] == policy]
        lines.append(charts.Line(policy, rows["at_s"].tolist(), rows[column].tolist()))
    return lines


def _usage_chart(tables: Tables) -> dict[str, Any]:
    svg = charts.steps(_lines(tables, tables.resource), tables.duration_s, 1.0)
    return {"svg": svg, "ticks": ["100 %", "75", "50", "25", "0"]}


def _waiting_chart(tables: Tables) -> dict[str, Any]:
    lines = _lines(tables, "waiting")
    most = _round_up(max((max(line.ys, default=0) for line in lines), default=0))
    svg = charts.steps(lines, tables.duration_s, most)
    return {"svg": svg, "ticks": _ticks(most)}


def _solve_chart(tables: Tables, policy: str) -> dict[str, Any]:
    """Seconds of each solve; those that are not proven stand out."""
    rows = tables.metrics[tables.metrics["policy"] == policy]
    values = []
    for row in rows.to_dict("records"):
        style = {"Optimal": "proven", "Feasible": "open", "Failed": "failed"}[str(row["status"])]
        seconds = 0.0 if pd.isna(row["seconds"]) else float(row["seconds"])
        title = f"window {row['window']}: {row['pods']} pods, {seconds:.2f} s, {row['status']}"
        values.append((float(row["at_s"]), seconds, style, title))
    most = _round_up(max((value[1] for value in values), default=0.0))
    svg = charts.columns(values, tables.duration_s, most)
    return {"svg": svg, "ticks": [f"{tick} s" for tick in _ticks(most)]}


def _round_up(value: float) -> float:
    """The next number that reads well: 1, 2, 5, 10, 20..."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value))


def _ticks(most: float) -> list[str]:
    return [f"{most * k / 4:,.4g}" for k in (4, 3, 2, 1, 0)]


def _hours(tables: Tables) -> list[str]:
    """Labels below a chart: the time of day, or minutes where the run is short."""
    start = datetime.fromisoformat(tables.summary["start"])
    parts = 6
    if tables.duration_s < HOUR_S:
        return [written(tables.duration_s * k / parts) for k in range(parts + 1)]
    times = [start + timedelta(seconds=tables.duration_s * k / parts) for k in range(parts + 1)]
    form = "%a %H:%M" if tables.duration_s > 2 * 86400 else "%H:%M"
    return [f"{time:{form}}" for time in times]


def _node_map(tables: Tables, policy: str) -> dict[str, Any]:
    shares, names = banded(
        usage_map(tables, policy, BINS), [str(name) for name in tables.nodes["node"]], ROWS_MAX
    )
    start = datetime.fromisoformat(tables.summary["start"])
    width_s = tables.duration_s / BINS
    bins = [f"{start + timedelta(seconds=width_s * k):%H:%M}" for k in range(BINS)]
    return {"policy": policy, "names": names, "svg": charts.heat(shares, names, bins)}


def _tiers(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tiers in their order: by priority from high to low, then as they came."""

    def rank(row: dict[str, Any]) -> tuple[int, int]:
        name = row["name"]
        if name.startswith("placed/priority="):
            return (0, -int(name.rpartition("=")[2]))
        return (1, 0)

    return sorted(rows, key=rank)


def _windows(tables: Tables, policy: str) -> list[dict[str, Any]]:
    start = datetime.fromisoformat(tables.summary["start"])
    rows = tables.metrics[tables.metrics["policy"] == policy].head(WINDOWS_MAX)
    found = rows.to_dict("records")
    for row in found:
        row["time"] = f"{start + timedelta(seconds=row['at_s']):%H:%M:%S}"
    return [{str(key): value for key, value in row.items()} for row in found]


def _plan_nodes(plan: Plan) -> list[tuple[str, int, float]]:
    """Nodes that got pods, with how many, and that as a share of the most."""
    counts = Counter(binding.node for binding in plan.bindings)
    most = max(counts.values(), default=1)
    return [(node, counts[node], counts[node] / most) for node in sorted(counts)][:PLAN_NODES_MAX]
