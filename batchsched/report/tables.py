"""The tables of a simulation's folder, read back; and what the page asks of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from batchsched.report.why import Case
from batchsched.snapshot.errors import InputError

EXPLANATIONS = "explanations.json"
COLUMNS = {
    "metrics": (
        "policy window at_s closed_by pods placed refused waiting gap status seconds "
        "compile_s greedy_s relax_s search_s verify_s cpu memory gpu running failure"
    ),
    "tiers": "policy window name value bound gap status",
    "pods": (
        "policy namespace name gang node cpu_milli memory_bytes gpus created_s bound_s ended_s"
    ),
    "gangs": "policy gang min_count members created_s started_s",
    "unplaced": "policy namespace name gang reason message",
    "nodes": "node pool domain cpu_milli memory_bytes gpus",
}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables, and the summary beside them."""

    summary: dict[str, Any]
    metrics: pd.DataFrame
    tiers: pd.DataFrame
    pods: pd.DataFrame
    gangs: pd.DataFrame
    unplaced: pd.DataFrame
    nodes: pd.DataFrame
    cases: dict[str, list[Case]]
    """Who never got a node, and why, by policy."""

    @staticmethod
    def columns(name: str) -> list[str]:
        """The columns of one table."""
        return COLUMNS[name].split()

    @property
    def policies(self) -> list[str]:
        """The policies, in the order in which they ran."""
        return [str(each["policy"]) for each in self.summary["policies"]]

    @property
    def duration_s(self) -> float:
        """How long the simulation was."""
        return float(self.summary["durationSeconds"])

    @property
    def resource(self) -> str:
        """What the run is about: ``gpu`` where there are any, else ``cpu``."""
        return "gpu" if int(self.nodes["gpus"].sum()) else "cpu"


def read_tables(folder: Path) -> Tables:
    """Read a folder that `batchsched simulate` left.

    Raises:
        InputError: It is no such folder.
    """
    try:
        summary = orjson.loads((folder / "summary.json").read_bytes())
        if summary.get("kind") != "SimulationSummary":
            raise InputError("is no summary of a simulation", source=str(folder / "summary.json"))
        frames = {name: pd.read_csv(folder / f"{name}.csv") for name in COLUMNS}
        told = orjson.loads((folder / EXPLANATIONS).read_bytes())
        cases = {name: [Case.model_validate(case) for case in each] for name, each in told.items()}
    except (FileNotFoundError, ValueError, AttributeError, pd.errors.ParserError) as error:
        what = f"is not a folder that `batchsched simulate -o` left: {error}"
        raise InputError(what, source=str(folder)) from None
    for name, frame in frames.items():
        if missing := set(Tables.columns(name)) - set(frame):
            what = f"lacks the columns {', '.join(sorted(missing))}"
            raise InputError(what, source=str(folder / f"{name}.csv"))
    return Tables(summary, **frames, cases=cases)


def usage_map(tables: Tables, policy: str, bins: int) -> Floats:
    """How full each node was: [nodes, bins] shares of its GPUs, or of its CPU where it has none."""
    gpu_nodes = (tables.nodes["gpus"] > 0).to_numpy()
    total = np.where(gpu_nodes, tables.nodes["gpus"], tables.nodes["cpu_milli"]).astype(float)
    index = {name: i for i, name in enumerate(tables.nodes["node"])}
    held = np.zeros((len(index), bins))
    pods = tables.pods[(tables.pods["policy"] == policy) & tables.pods["node"].notna()]
    width_s = tables.duration_s / bins
    edges = np.arange(bins) * width_s
    columns = ("node", "gpus", "cpu_milli", "bound_s", "ended_s")
    for node, gpu, cpu, from_s, to_s in zip(*(pods[name] for name in columns), strict=True):
        row = index.get(node)
        if row is None:
            continue
        end_s = tables.duration_s if np.isnan(to_s) else to_s
        overlap = np.clip(np.minimum(edges + width_s, end_s) - np.maximum(edges, from_s), 0, None)
        held[row] += overlap * (gpu if gpu_nodes[row] else cpu)
    return np.asarray(held / np.maximum(total, 1)[:, None] / width_s)


def tier_rows(tables: Tables, policy: str) -> list[dict[str, Any]]:
    """Each tier over all windows: how often it was proven, and its worst gap."""
    rows = []
    tiers = tables.tiers[tables.tiers["policy"] == policy]
    for name, group in tiers.groupby("name", sort=False):
        rows.append(
            {
                "name": str(name),
                "windows": len(group),
                "proven": float((group["status"] == "Optimal").mean()),
                "mean_gap": float(group["gap"].mean()),
                "worst_gap": float(group["gap"].max()),
            }
        )
    return rows


def gang_rows(tables: Tables) -> list[dict[str, Any]]:
    """Each gang, and how long it waited under each policy (None: it never started)."""
    rows: dict[str, dict[str, Any]] = {}
    for record in tables.gangs.to_dict("records"):
        row = rows.setdefault(
            str(record["gang"]),
            {"gang": record["gang"], "min_count": record["min_count"], "waits": {}},
        )
        row.setdefault("created_s", record["created_s"])
        wait_s = record["started_s"] - record["created_s"]
        row["waits"][record["policy"]] = None if np.isnan(wait_s) else wait_s
    return sorted(rows.values(), key=lambda row: (row["created_s"], row["gang"]))


def banded(shares: Floats, names: Sequence[str], most: int) -> tuple[Floats, list[str]]:
    """Rows of a map, averaged in bands where there are too many to show."""
    if len(names) <= most:
        return shares, list(names)
    bands = np.array_split(np.arange(len(names)), most)
    labels = [_from_to(names[int(band[0])], names[int(band[-1])]) for band in bands]
    return np.array([shares[band].mean(axis=0) for band in bands]), labels


def _from_to(first: str, last: str) -> str:
    """Both names, the second without what it has in common: ``node-001 … 040``."""
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    return f"{first} … {last[first.rfind('-', 0, common) + 1 :]}"
