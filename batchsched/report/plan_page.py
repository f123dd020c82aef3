"""The page of one plan, and of a recorded run: its last plan, and all its windows in charts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchsched.explain.question import Means
from batchsched.plan.plan import Plan
from batchsched.report import charts
from batchsched.report.clustermap import of_plan
from batchsched.report.page import render, scene_of
from batchsched.report.recorded import PHASES, RecordedWindow
from batchsched.report.why import cases, reasons
from batchsched.snapshot.snapshot import Snapshot

GANG_ORDER = ("Unplaced", "Waiting", "Placed")


def plan_page(
    plan: Plan,
    name: str,
    snapshot: Snapshot | None = None,
    means: Means | None = None,
    *,
    windows: Sequence[RecordedWindow] = (),
    notes: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        plan: What was decided.
        name: What the page is called after.
        snapshot: What it was decided on: with it there is a map.
        means: With what reasons are proven, and until when; None: kube-scheduler's message is all.
        windows: Of a recorded run, of which the plan is the last.
        notes: What whoever reads should know first.
    """
    seconds = plan.solver.seconds.model_dump()
    found = cases(plan, snapshot, means)
    return render(
        "plan.html.j2",
        title=name,
        eyebrow=f"Recorded run {name}" if windows else f"Plan {name}",
        notes=notes,
        plan=plan,
        cases=found,
        reasons=reasons(found),
        bound=_bound(plan),
        explained=any(case.explanation is not None for case in found),
        scene=scene_of(of_plan(snapshot, plan)) if snapshot is not None else None,
        nodes=sorted(Counter(binding.node for binding in plan.bindings).items()),
        gangs=sorted(plan.pod_groups, key=lambda gang: GANG_ORDER.index(gang.status)),
        windows=_windows(windows) if windows else None,
        phase_names=PHASES,
        seconds=[(step, seconds[step]) for step in seconds if step != "total" and seconds[step]],
    )


def _bound(plan: Plan) -> int | None:
    """What no plan places more than, where one tier counts all pods that are placed."""
    tiers = [tier for tier in plan.tiers if tier.name.startswith("placed/")]
    if len(tiers) != 1 or tiers[0].value != len(plan.bindings):
        return None
    return tiers[0].bound


def _windows(windows: Sequence[RecordedWindow]) -> dict[str, Any]:
    """The charts of a recorded run, over the windows as they came."""
    x = charts.Axes(x_min=0.5, x_max=len(windows) + 0.5)
    pods = [(i, (w.placed, max(w.pods - w.placed, 0))) for i, w in enumerate(windows, start=1)]
    gaps = [(i, (w.gap or 0.0,)) for i, w in enumerate(windows, start=1)]
    seconds = [(i, w.seconds) for i, w in enumerate(windows, start=1)]
    percent = charts.Axes(x_min=x.x_min, x_max=x.x_max, y_format=".1~%")
    return {
        "rows": windows,
        "pods": charts.columns("Pods of each window: placed, and not", ["", ""], pods, x),
        "gap": charts.columns("Gap of each window", [""], gaps, percent)
        if any(window.gap for window in windows)
        else None,
        "seconds": charts.columns(
            "Seconds of each window by phase", PHASES, seconds, replace(x, y_format="~g")
        ),
    }
