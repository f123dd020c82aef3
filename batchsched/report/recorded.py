"""What `batchsched run --record` left: the windows in their order, and the last one whole.

A window says neither when it was nor which came before, and numbers begin anew with each process;
the files' own times say both.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from batchsched.plan.plan import Plan, read_plan
from batchsched.snapshot.errors import InputError

SNAPSHOT, PLAN, PROFILE, WINDOW = "snapshot.json.gz", "plan.json", "profile.json", "window.json"
PHASES = ("compile", "greedy", "relax", "search", "verify")


@dataclass(frozen=True, slots=True)
class RecordedWindow:
    """One window, in numbers."""

    name: str
    pods: int
    placed: int
    gap: float | None
    """The largest of the tiers that count pods; None where the solve failed."""
    seconds: tuple[float, ...]
    """By phase, as ``PHASES``."""
    seconds_total: float
    failure: str


@dataclass(frozen=True)
class Recorded:
    """A recorded run: its windows, and the plan of the last that has one."""

    windows: tuple[RecordedWindow, ...]
    plan: Plan
    folder: Path
    """Of that last one."""


def is_record(folder: Path) -> bool:
    """Whether a folder holds records."""
    return any(folder.glob(f"*/{WINDOW}"))


def read_recorded(folder: Path) -> Recorded:
    """Read a folder of records.

    Raises:
        InputError: It holds no plan, or what it holds is none of ours.
    """
    files = sorted(folder.glob(f"*/{WINDOW}"), key=lambda path: path.stat().st_mtime_ns)
    if not files:
        raise InputError("holds no records of `batchsched run --record`", source=str(folder))
    windows, last = [], None
    for path in files:
        plan = _plan(path.parent)
        windows.append(_window(path, plan))
        last = (plan, path.parent) if plan is not None else last
    if last is None:
        raise InputError("holds no plan: every recorded solve failed", source=str(folder))
    return Recorded(tuple(windows), *last)


def _plan(folder: Path) -> Plan | None:
    path = folder / PLAN
    return read_plan(path.read_bytes(), str(path)) if path.exists() else None


def _window(path: Path, plan: Plan | None) -> RecordedWindow:
    try:
        told: dict[str, Any] = orjson.loads(path.read_bytes())
        pods = len(told["pods"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise InputError("is no record of a window", source=str(path)) from None
    spent = plan.solver.seconds.model_dump() if plan is not None else {}
    gaps = [t.gap for t in plan.tiers if t.name.startswith("placed/")] if plan is not None else []
    return RecordedWindow(
        name=path.parent.name,
        pods=pods,
        placed=len(plan.bindings) if plan is not None else 0,
        gap=max(gaps, default=0.0) if plan is not None else None,
        seconds=tuple(float(spent.get(phase, 0.0)) for phase in PHASES),
        seconds_total=float(spent.get("total", 0.0)),
        failure=str(told.get("failure", "")),
    )
